"""The check tables of negotiate checks with dns, radius and sip."""

from __future__ import annotations

from ipaddress import ip_address

from lvs_agent.ldirectord.reader.http import receive_regex
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.servers import Real
from lvs_agent.ldirectord.reader.tree import Table, given
from lvs_agent.ldirectord.reader.values import Placed, shown
from lvs_agent.ldirectord.reader.virtuals import Virtual

_NOBODY = "lvs-agent"


def dns_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """What ``service=dns`` asks of ``real``, without port and times: a name's address, or an address's name."""
    service = virtual.service
    request = virtual.request if real.request is None else Placed(real.request, real.line)
    regex = receive_regex(virtual.receive if real.receive is None else Placed(real.receive, real.line), notes=notes)
    if regex is None:
        text = "service=dns without receive: any record passes; ldirectord reports the server as down"
        notes.warning(service.line, text)
    return given(
        type=service,
        answer_regex=regex,
        transport=Placed("tcp", service.line) if virtual.protocol == "tcp" else None,
    ) | _question(service, request, notes)


def radius_keys(virtual: Virtual, _: Real, notes: Notes) -> Table:
    """The same for ``service=radius``: a login, or any answer where there is none."""
    service = virtual.service
    user, password = virtual.values.quoted("login"), virtual.values.quoted("passwd")
    secret = virtual.values.quoted("secret")
    if secret is None:
        text = "service=radius has no secret, without which no server answers: it is down, as with ldirectord"
        notes.warning(service.line, text)
    if user is None:
        text = "service=radius has no login: it is enough that the server answers; ldirectord reports it as down"
        notes.warning(service.line, text)
    return given(
        type=service,
        user=user or Placed(_NOBODY, service.line),
        password=password or Placed("", service.line),
        secret=secret or Placed(_NOBODY, service.line),
        accept_reject=Placed(value=True, line=service.line) if user is None else None,
    )


def sip_keys(virtual: Virtual, _: Real, __: Notes) -> Table:
    """The same for ``service=sip``: OPTIONS for ``login``, else for the server itself."""
    service = virtual.service
    transport = None if virtual.protocol == "udp" else Placed("tcp", service.line)
    return given(type=service, user=virtual.values.quoted("login"), transport=transport)


def _question(service: Placed[str], request: Placed[str] | None, notes: Notes) -> Table:
    """What to ask for, without the slash that ldirectord puts before each request and takes away again."""
    name = "" if request is None else request.value.removeprefix("/")
    if request is None or not name:
        text = "service=dns has no request: the name servers of the root are asked for"
        notes.warning(service.line, f"{text}; ldirectord reports the server as down")
        return given(query=Placed(".", service.line), record_type=Placed("NS", service.line))
    if _is_address(name):
        return given(query=Placed(name, request.line), record_type=Placed("PTR", request.line))
    if "." not in name:
        text = f"{shown(name)} is asked for as it is; ldirectord appends the domains of /etc/resolv.conf"
        notes.warning(request.line, text)
    return given(query=Placed(name, request.line))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
