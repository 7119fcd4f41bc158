"""The lines of a monitor file: one for each result of a check and real server, as ldirectord writes them.

``[Fri Nov 20 22:02:57 2026] [PID] LABEL [up|down] MESSAGE``.  The message is ldirectord's for the same server, so
that scripts that read the file go on working.  Where it is not:

* ldirectord writes the whole body where a text was missed in it; here it is said that it was missed.
* A successful HTTP answer has the registered phrase of its status, whatever the server says.
* Of a connection that fails between two whole probes (``checktype=N``) ldirectord tells no reason.
* ldirectord writes nothing where a ping fails, and nothing for ``external-perl`` and ``on``; here there is a line.
* A server that speaks no HTTP is ``200 Assumed OK`` to ldirectord; here it is down, and the message says why.
* A probe that could not be made says nothing about the server, and has no line.
* Of characters that steer a terminal ldirectord escapes the line ends alone, here it is all but the tab.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from lvs_agent.model.check import (
    CheckReport,
    CheckResult,
    CheckSpec,
    Disconnection,
    Errored,
    Failed,
    FailureReason,
    HttpFacts,
    Passed,
)
from lvs_agent.model.http_status import reason_phrase
from lvs_agent.model.intent import RealServer, VirtualService
from lvs_agent.model.ipvs import AddressKey, address_and_port

LONGEST_MESSAGE = 1_000
"""Characters that are kept of a message."""

_NONE = "-"


class MonitorEntry(NamedTuple):
    """What a line says of a server.  ``up`` is this one result's word, whatever came before it."""

    up: bool
    message: str = ""


IN_MAINTENANCE = MonitorEntry(up=False, message="Server in maintenance")
"""The entry of a server in maintenance, whatever its checks say."""


def monitor_line(
    report: CheckReport, spec: CheckSpec, *, service: VirtualService, server: RealServer, in_maintenance: bool
) -> str | None:
    """The line that ``report`` of the check ``spec`` makes for ``server`` in ``service``, in local time.

    None where the result says nothing about the server.  This is a ``lvs_agent.control.monitor_files.MonitorLine``.
    """
    entry = entry_of(spec, report.result)
    if entry is None:
        return None
    return formatted(
        when=datetime.fromtimestamp(report.ended_at, tz=UTC).astimezone(),
        pid=os.getpid(),
        label=label_of(service, server, spec),
        entry=IN_MAINTENANCE if in_maintenance else entry,
    )


def entry_of(spec: CheckSpec, result: CheckResult) -> MonitorEntry | None:
    """The entry of ``result`` of the check ``spec``, or None where it says nothing about the server."""
    match result:
        case Errored():
            return None
        case Passed():
            return MonitorEntry(up=True, message=_passed(spec, result))
        case Failed():
            return MonitorEntry(up=False, message=_MESSAGES.get(spec.kind, _no_message)(spec, result))


def formatted(*, when: datetime, pid: int, label: str, entry: MonitorEntry) -> str:
    """The line, without its end.  ``when`` is local time."""
    message = _escaped(entry.message[:LONGEST_MESSAGE]) or _NONE
    return f"[{when.ctime()}] [{pid}] {_one_line(label)} [{'up' if entry.up else 'down'}] {message}"


def label_of(service: VirtualService, server: RealServer, spec: CheckSpec) -> str:
    """What stands for ``server`` in a line: its own label, or check, protocol, address, port, weight and forwarding."""
    if server.monitor_label:
        return server.monitor_label
    key, row = service.service.key, server.destination
    protocol = key.protocol.value if isinstance(key, AddressKey) else "fwm"
    return f"{spec.kind} {protocol} {row.key.address} {row.key.port} {row.weight} {row.forwarding.value}"


def _passed(spec: CheckSpec, result: Passed) -> str:
    facts = result.http
    return _status_line(facts.status, facts.phrase) if facts and facts.status and spec.kind in _HTTP else ""


def _no_message(_spec: CheckSpec, _result: Failed) -> str:
    return ""


def _detail(_spec: CheckSpec, result: Failed) -> str:
    return result.detail


def _http(spec: CheckSpec, result: Failed) -> str:
    """What the HTTP library of Perl says of a request, which writes its own failures as answers with status 500."""
    facts = result.http or _NO_FACTS
    match result.reason:
        case FailureReason.STATUS if facts.status:
            return _status_line(facts.status, facts.phrase)
        case FailureReason.CONNECT_TIMEOUT | FailureReason.READ_TIMEOUT:
            return "500 Timeout Alarm"
        case FailureReason.REFUSED | FailureReason.UNREACHABLE:
            return f"500 Can't connect to {_place(spec)} ({result.detail[:1].upper()}{result.detail[1:]})"
        case FailureReason.TLS:
            return f"500 Can't connect to {_place(spec)} ({result.detail})"
        case FailureReason.PROTOCOL:
            return f"500 {_DISCONNECTIONS[facts.disconnection] if facts.disconnection else result.detail}"
        case _:
            return result.detail


_HTTP = frozenset({"http", "https"})
_MESSAGES: Mapping[str, Callable[[CheckSpec, Failed], str]] = MappingProxyType(
    {"http": _http, "https": _http, "ping": _detail}
)
"""What a failure of a kind of check is reported as; ldirectord reports nothing of the others."""
_DISCONNECTIONS: Mapping[Disconnection, str] = MappingProxyType(
    {
        Disconnection.CLOSED: "Server closed connection without sending any data back",
        Disconnection.RESET: "Status read failed: Connection reset by peer",
    }
)
_NO_FACTS = HttpFacts()


def _status_line(status: int, phrase: str) -> str:
    return f"{status} {phrase or reason_phrase(status)}"


def _place(spec: CheckSpec) -> str:
    address, port = spec.target.address, spec.target.port
    return address_and_port(address, port if port is not None else 0)


def _escaped(text: str) -> str:
    """``text`` as one line in which ``|`` separates nothing: percent-encoded where needed (RFC 3986, in small hex)."""
    return _one_line(text.replace("%", "%25").replace("|", "%7c"))


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\t" else _encoded(letter) for letter in text)


def _encoded(letter: str) -> str:
    return "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
