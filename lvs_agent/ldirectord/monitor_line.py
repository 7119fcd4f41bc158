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

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from lvs_agent.core.http_status import reason_phrase
from lvs_agent.model.check import CheckResult, CheckSpec, Errored, Failed, FailureReason, Passed
from lvs_agent.model.intent import RealServer, VirtualService
from lvs_agent.model.ipvs import AddressKey, address_and_port

LONGEST_MESSAGE = 1_000
"""Characters that are kept of a message."""

_NONE = "-"
_STATUS = re.compile(r"status (\d{3})(?: (.+))?")


class Told(NamedTuple):
    """What a line says of a server.  ``up`` is this one result's word, whatever came before it."""

    up: bool
    message: str = ""


IN_MAINTENANCE = Told(up=False, message="Server in maintenance")
"""What is told of a server in maintenance, whatever its checks say."""


def told(spec: CheckSpec, result: CheckResult) -> Told | None:
    """What ``result`` of the check ``spec`` tells, or None where it says nothing about the server."""
    match result:
        case Errored():
            return None
        case Passed():
            return Told(up=True, message=_passed(spec, result))
        case Failed():
            return Told(up=False, message=_MESSAGES.get(spec.kind, _no_message)(spec, result))


def monitor_line(*, when: datetime, pid: int, label: str, told: Told) -> str:
    """The line, without its end.  ``when`` is local time."""
    message = _escaped(told.message[:LONGEST_MESSAGE]) or _NONE
    return f"[{when.ctime()}] [{pid}] {_one_line(label)} [{'up' if told.up else 'down'}] {message}"


def label_of(service: VirtualService, server: RealServer, spec: CheckSpec) -> str:
    """What stands for ``server`` in a line: its own label, or check, protocol, address, port, weight and forwarding."""
    if server.monitor_label:
        return server.monitor_label
    key, row = service.service.key, server.destination
    protocol = key.protocol.value if isinstance(key, AddressKey) else "fwm"
    return f"{spec.kind} {protocol} {row.key.address} {row.key.port} {row.weight} {row.forwarding.value}"


def _passed(spec: CheckSpec, result: Passed) -> str:
    status = _STATUS.fullmatch(result.detail)
    return _status_line(status) if status and spec.kind in _HTTP else ""


def _no_message(_spec: CheckSpec, _result: Failed) -> str:
    return ""


def _detail(_spec: CheckSpec, result: Failed) -> str:
    return result.detail


def _http(spec: CheckSpec, result: Failed) -> str:
    """What the HTTP library of Perl says of a request, which writes its own failures as answers with status 500."""
    match result.reason:
        case FailureReason.STATUS:
            status = _STATUS.fullmatch(result.detail)
            return _status_line(status) if status else result.detail
        case FailureReason.CONNECT_TIMEOUT | FailureReason.READ_TIMEOUT:
            return "500 Timeout Alarm"
        case FailureReason.REFUSED | FailureReason.UNREACHABLE:
            return f"500 Can't connect to {_place(spec)} ({result.detail.capitalize()})"
        case FailureReason.TLS:
            return f"500 Can't connect to {_place(spec)} ({result.detail})"
        case FailureReason.PROTOCOL:
            return f"500 {_OF_EXCHANGES.get(result.detail, result.detail)}"
        case _:
            return result.detail


_HTTP = frozenset({"http", "https"})
_MESSAGES: Mapping[str, Callable[[CheckSpec, Failed], str]] = MappingProxyType(
    {"http": _http, "https": _http, "ping": _detail}
)
"""What a failure of a kind of check is told as; of the others ldirectord tells nothing."""
_OF_EXCHANGES: Mapping[str, str] = MappingProxyType(
    {
        "connection closed without a response": "Server closed connection without sending any data back",
        "connection reset by peer": "Status read failed: Connection reset by peer",
    }
)


def _status_line(status: re.Match[str]) -> str:
    return f"{status[1]} {status[2] or reason_phrase(int(status[1]))}"


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
