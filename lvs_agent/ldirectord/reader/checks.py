"""From checktype and service to the check table of a real server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from lvs_agent.ldirectord.reader.commands import check_command
from lvs_agent.ldirectord.reader.datagrams import dns_keys, radius_keys, sip_keys
from lvs_agent.ldirectord.reader.http import http_keys, http_proxy_keys, https_keys
from lvs_agent.ldirectord.reader.line_protocols import ftp_keys, ldap_keys, ldaps_keys, nntp_keys, simpletcp_keys
from lvs_agent.ldirectord.reader.mail import encrypted_mailbox_keys, mailbox_keys, smtp_keys
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.servers import Real, bracketed
from lvs_agent.ldirectord.reader.services import PORTS
from lvs_agent.ldirectord.reader.sql import oracle_keys, sql_keys
from lvs_agent.ldirectord.reader.tree import Table, seconds
from lvs_agent.ldirectord.reader.values import Placed
from lvs_agent.ldirectord.reader.virtuals import CheckType, Virtual

NEGOTIATES: Mapping[str, Callable[[Virtual, Real, Notes], Table]] = MappingProxyType(
    {
        "dns": dns_keys,
        "radius": radius_keys,
        "sip": sip_keys,
        "ftp": ftp_keys,
        "ldap": ldap_keys,
        "ldaps": ldaps_keys,
        "nntp": nntp_keys,
        "simpletcp": simpletcp_keys,
        "http": http_keys,
        "https": https_keys,
        "http_proxy": http_proxy_keys,
        "imap": mailbox_keys,
        "imaps": encrypted_mailbox_keys,
        "pop": mailbox_keys,
        "pops": encrypted_mailbox_keys,
        "smtp": smtp_keys,
        "submission": smtp_keys,
        "mysql": sql_keys,
        "pgsql": sql_keys,
        "oracle": oracle_keys,
    }
)
"""All of ldirectord's services but none: what makes the keys of the check, without port and times."""


def check_keys(virtual: Virtual, real: Real, notes: Notes) -> Table | None:
    """The check of ``real``; None where nobody checks it (checktype=off)."""
    line = virtual.check_type.line
    match virtual.check_type.value:
        case CheckType.OFF:
            return None
        case CheckType.ON:
            return _none(line)
        case CheckType.PING:
            return _ping(virtual, line)
        case CheckType.EXTERNAL | CheckType.EXTERNAL_PERL:
            return _external(virtual, real, notes)
        case CheckType.CONNECT:
            return _connect(virtual, real, notes)
        case CheckType.NEGOTIATE | CheckType.COMBINED:
            return _negotiate(virtual, real, notes)


def _none(line: int, *, result: str | None = None) -> Table:
    keys: Table = {"type": Placed("none", line)}
    return keys if result is None else keys | {"result": Placed(result, line)}


def _ping(virtual: Virtual, line: int) -> Table:
    return {"type": Placed("ping", line), "timeout": seconds(virtual.check_limit)}


def _external(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """The arguments are ldirectord's: virtual address or mark, its port, the real server's address and port, or 0."""
    kind = virtual.check_type
    command = virtual.check_command
    if command is None:
        text = f"checktype={kind.value.value} has no checkcommand, so no server is ever down"
        notes.warning(kind.line, text)
        return _none(kind.line)
    words = check_command(command, perl=kind.value is CheckType.EXTERNAL_PERL, notes=notes)
    if words is None:
        return _none(kind.line)
    host = str(virtual.mark) if virtual.address is None else bracketed(virtual.address)
    arguments = [host, str(virtual.port), real.host, str(real.port)]
    return {
        "type": Placed("command", kind.line),
        "command": Placed([*words, *arguments], command.line),
        "timeout": seconds(virtual.check_limit),
    }


def _connect(virtual: Virtual, real: Real, notes: Notes) -> Table:
    line = virtual.check_type.line
    if virtual.protocol == "udp":
        notes.warning(line, "udp has no connections: the servers are pinged, as by ldirectord")
        return _ping(virtual, line)
    keys: Table = {"type": Placed("tcp", line), "timeout": seconds(virtual.check_limit)}
    return _with_port(keys, virtual, real, notes)


def _negotiate(virtual: Virtual, real: Real, notes: Notes) -> Table:
    service, kind = virtual.service, virtual.check_type
    if service.value == "none":
        return _negotiate_nothing(virtual, real, notes)
    keys = NEGOTIATES[service.value](virtual, real, notes) | {"timeout": seconds(virtual.negotiate_limit)}
    if virtual.connects:
        keys |= {"connects_between": Placed(virtual.connects, kind.line)}
    return _with_port(keys, virtual, real, notes)


def _negotiate_nothing(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """Nothing is spoken with the service none; only the connects of a combined check tell anything."""
    line = virtual.service.line
    if virtual.connects and virtual.protocol != "udp":
        notes.warning(line, "service=none has nothing to negotiate: only connections are checked")
        return _connect(virtual, real, notes)
    notes.warning(
        line,
        "nothing is checked, and every server counts as up: there is no service=, and the port is not that of a known"
        " service; write service= or checktype=connect"
        if virtual.values.entry("service") is None
        else "nothing is checked, and every server counts as up: service=none has nothing to negotiate",
    )
    return _none(line)


def _with_port(keys: Table, virtual: Virtual, real: Real, notes: Notes) -> Table:
    """``keys`` with the port to check, where it is not the one that would be checked without it."""
    port = _port(virtual, real, notes)
    if not port.value:
        text = "there is no port to check, so it is always down, as with ldirectord; write checkport="
        notes.warning(real.line, text)
        return _none(real.line, result="down")
    usual = real.row_port(virtual.port, marked=virtual.mark is not None) or virtual.port
    return keys if port.value == usual else keys | {"port": port}


def _port(virtual: Virtual, real: Real, notes: Notes) -> Placed[int]:
    """checkport, else the real server's port, else the virtual service's, else the usual one of the service."""
    if virtual.check_port is not None:
        return virtual.check_port
    if real.port:
        return Placed(real.port, real.line)
    theirs = PORTS.get(virtual.service.value)
    if virtual.mark is not None:
        return Placed(theirs or 0, virtual.service.line)
    if theirs != virtual.port:
        other = f"ldirectord checks port {theirs}" if theirs else "ldirectord knows no port and reports it as down"
        notes.warning(real.line, f"is checked on the virtual service's port {virtual.port}; {other}")
    return Placed(virtual.port, virtual.line)
