"""Writes the configuration of Alertmanager."""

from __future__ import annotations

import io
import re
from textwrap import wrap
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

from lvs_agent.ldirectord.convert.alertmanager import MailPlan, Receiver, Route

_SKELETON = """
global:
  smtp_smarthost: ""
  smtp_from: ""
  smtp_require_tls: false   # ldirectord never uses TLS; true where your mail server can
route:
  receiver: ""
  group_by: [alertname, virtual_service]   # what both directors say is one mail
  group_wait: 30s                          # longer than from a scrape of one to a scrape of the other
  group_interval: 1m
  repeat_interval: 30d
  routes:
    # The heartbeat, an alert that always fires: send it to a service that raises an alarm when it stops, because
    # nothing else shows that Prometheus or Alertmanager is down.
    - receiver: nobody
      matchers: ['alertname="Watchdog"']
    - receiver: nobody
      matchers: ['severity="info"']
inhibit_rules:
  # One message about a service that is down, not one more for each of its real servers.
  - source_matchers: ['alertname="LVSServiceDown"']
    target_matchers:
      - 'alertname=~"LVSRealServerDown|LVSServiceBelowQuorum|LVSServiceCapacityLow|LVSServiceErrorBudgetBurn"'
    equal: [virtual_service, instance]
  # Nor another one because its sorry server is active.
  - source_matchers: ['alertname="LVSServiceDown"']
    target_matchers: ['alertname="LVSServiceSorryServerActive"']
    equal: [virtual_service, instance]
  # What an agent knew before it went down is outdated.
  - source_matchers: ['alertname="LVSAgentDown"']
    target_matchers: ['alertname=~"LVS.+"', 'alertname!="LVSAgentDown"']
    equal: [instance]
  - source_matchers: ['alertname="LVSRealServerFlapping"']
    target_matchers: ['alertname=~"LVSRealServerDown|LVSRealServerBounced"']
    equal: [virtual_service, real_server, instance]
  # If one alert fires with two severities, the critical one is enough.
  - source_matchers: ['alertname=~"LVS.+"', 'severity="critical"']
    target_matchers: ['alertname=~"LVS.+"', 'severity="warning"']
    equal: [alertname, virtual_service, real_server, instance]
  # Consequences of failing rounds, and of entries that cannot be repaired.
  - source_matchers: ['alertname="LVSAgentReconcileStale"']
    target_matchers: ['alertname=~"LVSAgentReconcileFailing|LVSTableDrift|LVSRealServerWeightWrong"']
    equal: [instance]
  - source_matchers: ['alertname="LVSTableDrift"']
    target_matchers: ['alertname="LVSRealServerWeightWrong"']
    equal: [virtual_service, instance]
  # Errors that have an alert of their own are in the log as well.
  - source_matchers:
      - 'alertname=~"LVSAgentIPVSErrors|LVSAgentReconcileFailing|LVSAgentConfigReloadFailed|LVSSorryCommandFailed"'
    target_matchers: ['alertname="LVSAgentErrorsLogged"']
    equal: [instance]
receivers:
  - name: nobody
"""
_HEAD = """Alertmanager: mails to the recipients in {file}, made by lvs-agent convert --alertmanager.
Check it with "amtool check-config FILE".  If there is an Alertmanager already, put this route below its own one,
with matchers: ['alertname=~"LVS.+"'], and take over the receivers and inhibit_rules."""
_WIDTH = 116
_SUBJECT = (
    "[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }} {{ .CommonLabels.virtual_service }}"
    " {{ .CommonLabels.real_server }}"
)
_ESCAPED = re.compile(r'[\\"]')
_UNPRINTABLE = re.compile(r"[^\t\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def to_yaml(plan: MailPlan, *, file: str) -> str:
    """``plan`` as YAML for Alertmanager 0.22 and newer; ``file`` is the name of what it was made of."""
    yaml = YAML()
    yaml.width = 4_096  # no line breaks in values
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    document: CommentedMap = yaml.load(_SKELETON)
    document.yaml_set_start_comment(_HEAD.format(file=_printable(file)))
    everywhere = document["global"]
    everywhere["smtp_smarthost"] = _text(plan.server)
    everywhere["smtp_from"] = _text(plan.sender)
    _before(everywhere, "smtp_smarthost", plan.remarks, indent=2)
    _default(document["route"], plan.default)
    _routes(document["route"]["routes"], plan.routes)
    document["receivers"].extend(_receiver(each, plan) for each in plan.receivers)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _default(route: CommentedMap, default: Route) -> None:
    route["receiver"] = _text(default.receiver)
    route["group_interval"] = default.group_interval or route["group_interval"]
    route["repeat_interval"] = default.repeat_interval or route["repeat_interval"]
    _before(route, "repeat_interval", default.remarks, indent=2)


def _routes(written: CommentedSeq, routes: tuple[Route, ...]) -> None:
    for each in routes:
        matcher = f'virtual_service="{_ESCAPED.sub(_escape, each.virtual_service or "")}"'
        route = CommentedMap(receiver=_text(each.receiver), matchers=_flow(SingleQuotedScalarString(matcher)))
        for key, value in (("group_interval", each.group_interval), ("repeat_interval", each.repeat_interval)):
            if value is not None:
                route[key] = value
        written.append(route)
        _before(written, len(written) - 1, each.remarks, indent=4)


def _receiver(receiver: Receiver, plan: MailPlan) -> CommentedMap:
    mails = CommentedSeq()
    for address in receiver.to:
        mail = CommentedMap(to=_text(address), send_resolved=True)
        if receiver.server != plan.server:
            mail["smarthost"] = _text(receiver.server)
        if receiver.sender != plan.sender:
            mail["from"] = _text(receiver.sender)
        mail["headers"] = CommentedMap(Subject=SingleQuotedScalarString(_SUBJECT))
        mails.append(mail)
    return CommentedMap(name=_text(receiver.name), email_configs=mails)


def _before(node: Any, key: str | int, remarks: tuple[str, ...], *, indent: int) -> None:
    lines = [line for remark in remarks for line in wrap(_printable(remark), _WIDTH - indent)]
    if lines:
        node.yaml_set_comment_before_after_key(key, before="\n".join(lines), indent=indent)


def _flow(*items: Any) -> CommentedSeq:
    sequence = CommentedSeq(items)
    sequence.fa.set_flow_style()
    return sequence


def _text(text: str) -> str:
    quoted: str = DoubleQuotedScalarString(text)
    return quoted


def _escape(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
