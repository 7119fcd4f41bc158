"""Warnings: what can be used, but is probably not what was meant."""

from __future__ import annotations

from lvs_agent.config.check_plans import CheckPlan
from lvs_agent.config.draft import ServiceDraft
from lvs_agent.config.findings import Report
from lvs_agent.model.intent import VirtualService
from lvs_agent.model.ipvs import AddressKey, Protocol, ServiceKey

_IGNORES_WEIGHTS = frozenset({"rr", "lc", "dh"})


def lint_service(service: VirtualService, *, draft: ServiceDraft, report: Report) -> None:
    """Doubts about one virtual service."""
    if not draft.servers:
        report.warning((*draft.at, "real_server"), "the service has no real server")
    weights = {server.destination.weight for server in service.real_servers} - {0}
    scheduler = service.service.scheduler
    if len(weights) > 1 and scheduler in _IGNORES_WEIGHTS:
        text = f"the scheduler {scheduler} ignores weights other than 0, but the real servers' weights differ"
        report.warning((*draft.at, "scheduler"), text)


def lint_check(plan: CheckPlan, *, key: ServiceKey, report: Report) -> None:
    """Doubts about one check of a real server of the service ``key``."""
    kind = plan.checker.kind
    if not plan.checker.is_usable:
        text = f"{kind} checks need a library that is not installed: pip install 'lvs-agent[{kind}]'"
        report.warning((*plan.place, "type"), text)
    shortest = min(plan.keys.interval, plan.down_interval_s)
    if plan.keys.timeout > shortest:
        where = plan.written.get("timeout") or plan.written.get("interval") or (*plan.place, "timeout")
        text = f"the timeout ({plan.keys.timeout:g}s) is longer than the interval ({shortest:g}s)"
        report.warning(where, f"{text}: a server that does not answer is checked less often than configured")
    if "type" not in plan.written and isinstance(key, AddressKey) and key.protocol is not Protocol.TCP:
        text = f"a {key.protocol.value} service is checked by TCP connections because the check has no type"
        report.warning((*plan.place, "type"), text)
