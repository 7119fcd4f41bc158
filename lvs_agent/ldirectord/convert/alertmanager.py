"""What Alertmanager must do so that the people whom ldirectord wrote to learn the same.  Decides; writes nothing.

The alerts have the label ``virtual_service``; those about the agent itself have none, and go where most services' do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lvs_agent.ldirectord.reader import AlertSettings
from lvs_agent.settings.scalars import with_unit

NOBODY = "nobody"
"""The receiver that tells nobody."""

LOCAL_SERVER = "localhost:25"
LOCAL_SENDER = "lvs-agent@localhost"

_GROUP_INTERVAL_S = 60
_NEVER = "30d"
_RETENTION_S = 120 * 3_600
_PHASES = frozenset({"starting", "running", "stopping", "reloading"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """People who get the same mails: each of ``to`` an address, ``server`` as HOST:PORT."""

    name: str
    to: tuple[str, ...]
    server: str
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the alerts of one virtual service go (None: all that no other route takes).

    Intervals are as Alertmanager writes them; None: nobody is notified, or the default is meant.  ``remarks`` say where
    this is not just what the file asked for.
    """

    virtual_service: str | None
    receiver: str
    repeat_interval: str | None = None
    group_interval: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPlan:
    """Everything that is to be written.  ``server`` and ``sender`` hold where a receiver has no other."""

    server: str
    sender: str
    remarks: tuple[str, ...]
    default: Route
    routes: tuple[Route, ...]
    receivers: tuple[Receiver, ...]


def mail_plan(alerts: Sequence[AlertSettings], *, services: Sequence[str]) -> MailPlan:
    """The plan for ``alerts``, out of all ``services`` of the configuration, which are known by their names."""
    receivers = _receivers([each for each in alerts if _is_wanted(each)])
    routes = {each.virtual_service: _route(each, receivers) for each in alerts}
    quiet = {
        name: Route(virtual_service=name, receiver=NOBODY, remarks=("no emailalert",))
        for name in services
        if name not in routes
    }
    all_routes = {name: {**routes, **quiet}[name] for name in dict.fromkeys([*services, *routes])}
    default = _default(list(routes.values()))
    servers = Counter(each.server for each in receivers.values())
    senders = [each.sender for each in receivers.values()]
    return MailPlan(
        server=servers.most_common(1)[0][0] if servers else LOCAL_SERVER,
        sender=senders[0] if senders else LOCAL_SENDER,
        remarks=_remarks(alerts),
        default=default,
        routes=tuple(route for route in all_routes.values() if _meaning(route) != _meaning(default)),
        receivers=tuple(dict.fromkeys(receivers.values())),
    )


def _is_wanted(alert: AlertSettings) -> bool:
    """Whether a server that fails in the course of things was to be told of."""
    return bool(alert.recipients) and "running" in alert.statuses


def _receivers(alerts: Sequence[AlertSettings]) -> dict[tuple[tuple[str, ...], str, str], Receiver]:
    found: dict[tuple[tuple[str, ...], str, str], Receiver] = {}
    names: Counter[str] = Counter()
    for alert in alerts:
        who = _who(alert)
        if who not in found:
            to, server, sender = who
            plain = "+".join(to)
            names[plain] += 1
            name = plain if names[plain] == 1 else f"{plain}-{names[plain]}"
            found[who] = Receiver(name=name, to=to, server=server, sender=sender)
    return found


def _who(alert: AlertSettings) -> tuple[tuple[str, ...], str, str]:
    to = tuple(dict.fromkeys(_address(each) for each in alert.recipients))
    server = LOCAL_SERVER if alert.smtp is None else f"{alert.smtp}:25"
    return to, server, _address(alert.sender or LOCAL_SENDER)


def _address(text: str) -> str:
    """A user of this machine is an address for sendmail, but not for SMTP."""
    return text if "@" in text else f"{text}@localhost"


def _route(alert: AlertSettings, receivers: dict[tuple[tuple[str, ...], str, str], Receiver]) -> Route:
    if not _is_wanted(alert):
        asked = ", ".join(sorted(alert.statuses)) or "none"
        why = f"emailalertstatus={asked}: no mail about a server that fails while ldirectord is running"
        return Route(
            virtual_service=alert.virtual_service,
            receiver=NOBODY,
            remarks=(why if alert.recipients else "no emailalert",),
        )
    repeat, group, remarks = _intervals(alert.frequency_s)
    if alert.statuses != _PHASES:
        asked = ", ".join(sorted(alert.statuses))
        remarks = (*remarks, f"emailalertstatus={asked}: an alert is about a state, and is sent in every phase")
    return Route(
        virtual_service=alert.virtual_service,
        receiver=receivers[_who(alert)].name,
        repeat_interval=repeat,
        group_interval=group,
        remarks=remarks,
    )


def _intervals(frequency_s: int) -> tuple[str, str | None, tuple[str, ...]]:
    """Repeat interval, group interval where the default would be too long, and what is to be said about them.

    Alertmanager looks for reminders once in a group interval, so that they come at multiples of it.
    """
    asked = f"emailalertfreq={frequency_s}"
    if frequency_s == 0:
        return _NEVER, None, (f"{asked}: reminders cannot be switched off, so they come after {_NEVER}; {_RETAIN}",)
    if frequency_s < _GROUP_INTERVAL_S:
        interval = with_unit(frequency_s, size=False)
        return interval, interval, (asked,)
    whole = -(-frequency_s // _GROUP_INTERVAL_S) * _GROUP_INTERVAL_S
    remark = asked if whole == frequency_s else f"{asked}, rounded up to whole minutes (group_interval)"
    remark = f"{remark}; {_RETAIN}" if whole > _RETENTION_S else remark
    return with_unit(whole, size=False), None, (remark,)


_RETAIN = "start Alertmanager with a --data.retention longer than that, or they come after its default of 120h"


def _default(routes: Sequence[Route]) -> Route:
    """What most services ask for, which is the global emailalert where there is one."""
    heard = [route for route in routes if route.receiver != NOBODY]
    if not heard:
        return Route(virtual_service=None, receiver=NOBODY)
    meaning, _ = Counter(map(_meaning, heard)).most_common(1)[0]
    receiver, repeat, group, remarks = meaning
    return Route(virtual_service=None, receiver=receiver, repeat_interval=repeat, group_interval=group, remarks=remarks)


def _meaning(route: Route) -> tuple[str, str | None, str | None, tuple[str, ...]]:
    return route.receiver, route.repeat_interval, route.group_interval, route.remarks


def _remarks(alerts: Sequence[AlertSettings]) -> tuple[str, ...]:
    """What is assumed because the file does not say it."""
    wanted = [each for each in alerts if _is_wanted(each)]
    remarks = []
    if any(each.smtp is None for each in wanted):
        remarks.append(f"smtp is not set everywhere: {LOCAL_SERVER} stands for the sendmail that ldirectord calls then")
    if any(each.sender is None for each in wanted):
        remarks.append(f"emailalertfrom is not set: {LOCAL_SENDER} is a guess")
    if any("@" not in address for each in wanted for address in each.recipients):
        remarks.append("an address without @ is a user of this machine: @localhost is added")
    return tuple(remarks)
