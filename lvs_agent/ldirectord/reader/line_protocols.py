"""The check tables of negotiate checks with ftp, ldap, nntp, and with any text over TCP or UDP (simpletcp)."""

from __future__ import annotations

from lvs_agent.ldirectord.reader.http import BODY_LIMIT, receive_regex
from lvs_agent.ldirectord.reader.notes import Notes, Oddity
from lvs_agent.ldirectord.reader.servers import Real
from lvs_agent.ldirectord.reader.tree import Table, given
from lvs_agent.ldirectord.reader.values import Placed
from lvs_agent.ldirectord.reader.virtuals import Virtual

_NOBODY = frozenset({"anonymous", "ftp"})
_ADDRESS_OF_NOBODY = "lvs-agent@localhost"
_END_OF_TEXT, _END_OF_LINE = r"(?=\n?\Z)", "$"
"""How the end that Perl's "$" means is written in a translated expression, and in the expression of a step."""
_ANYTHING = r"[\s\S]"


def ftp_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """What ``service=ftp`` asks of ``real``, without port and times: the login always counts."""
    service = virtual.service
    path = _request(virtual, real)
    regex = receive_regex(_receive(virtual, real), notes=notes)
    if path is None or not path.value:
        path = None
        if regex is not None:
            text = "receive is not looked for, because request= names no file: only the login is checked"
            notes.warning(regex.line, f"{text}; ldirectord reports the server as down")
            regex = None
    if regex is None:
        what = "the login" if path is None else "the login, and that the file is there,"
        text = f"service=ftp without receive: {what} must succeed"
        notes.warning(service.line, f"{text}; ldirectord reports the server as up, even if nobody listens")
    return _ftp_login(virtual, notes) | given(
        type=service,
        path=None if path is None else Placed(f"/{path.value}", path.line),
        body_regex=regex,
        body_limit=None if regex is None else Placed(BODY_LIMIT, regex.line),
    )


def ldap_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """The same for ``service=ldap``: a bind, anonymous without both login and passwd, and a search of one entry."""
    user, password = virtual.values.quoted("login"), virtual.values.quoted("passwd")
    if user is None or password is None:
        half = user or password
        if half is not None:
            notes.warning(half.line, "login and passwd count only together: the bind is anonymous, as with ldirectord")
        user = password = None
    return given(
        type=virtual.service,
        bind_dn=user,
        password=password,
        base=_request(virtual, real) or Placed("", virtual.service.line),
        dn_regex=receive_regex(_receive(virtual, real), notes=notes),
    )


def ldaps_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """The same for ``service=ldaps``; no certificate is verified, as with https."""
    line = virtual.service.line
    notes.oddity(Oddity.UNVERIFIED, line, "ldaps")
    return ldap_keys(virtual, real, notes) | given(tls=Placed(given(verify=Placed(value=False, line=line)), line))


def nntp_keys(virtual: Virtual, _: Real, __: Notes) -> Table:
    """The same for ``service=nntp``: a greeting."""
    return given(type=virtual.service)


def simpletcp_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """The same for ``service=simpletcp``: something sent, the end of input, and an answer that fits."""
    line = virtual.service.line
    request = _request(virtual, real)
    send = None if request is None or not request.value else Placed(request.value.replace("\\n", "\n"), request.line)
    regex = receive_regex(_receive(virtual, real), notes=notes)
    if virtual.protocol == "udp":
        return given(type=Placed("udp", line), send=send, expect_regex=regex)
    by_line = Placed(_ANYTHING, line) if regex is None else _by_line(regex)
    step = given(send=send, expect_regex=by_line)
    return given(
        type=Placed("tcp", line),
        steps=Placed([Placed(step, line)], line),
        half_close=Placed(value=True, line=line),
    )


def _by_line(regex: Placed[str]) -> Placed[str]:
    """The same for each line alone, as ldirectord looks at them: what ends a text for it ends a line."""
    return Placed(regex.value.replace(_END_OF_TEXT, _END_OF_LINE), regex.line)


def _request(virtual: Virtual, real: Real) -> Placed[str] | None:
    """The request without the slash that ldirectord puts before it, or that was written there."""
    request = virtual.request if real.request is None else Placed(real.request, real.line)
    return None if request is None else Placed(request.value.removeprefix("/"), request.line)


def _receive(virtual: Virtual, real: Real) -> Placed[str] | None:
    return virtual.receive if real.receive is None else Placed(real.receive, real.line)


def _ftp_login(virtual: Virtual, notes: Notes) -> Table:
    user, password = virtual.values.quoted("login"), virtual.values.quoted("passwd")
    if user is not None and password is None and user.value not in _NOBODY:
        notes.warning(user.line, f"login has no passwd: {_ADDRESS_OF_NOBODY} is sent; ldirectord sends an address too")
        password = Placed(_ADDRESS_OF_NOBODY, user.line)
    return given(user=user, password=password)
