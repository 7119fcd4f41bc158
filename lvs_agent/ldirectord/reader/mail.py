"""The check tables of negotiate checks with mail servers."""

from __future__ import annotations

from lvs_agent.ldirectord.reader.notes import Notes, Oddity
from lvs_agent.ldirectord.reader.servers import Real
from lvs_agent.ldirectord.reader.tree import Table, given
from lvs_agent.ldirectord.reader.values import Placed
from lvs_agent.ldirectord.reader.virtuals import Virtual

_POP = frozenset({"pop", "pops"})


def smtp_keys(virtual: Virtual, _: Real, __: Notes) -> Table:
    """What ``service=smtp`` or ``submission`` asks of a server, without port and times: no login."""
    return given(type=virtual.service)


def mailbox_keys(virtual: Virtual, _: Real, notes: Notes) -> Table:
    """The same for ``pop`` and ``imap``; ldirectord logs in without TLS."""
    login = _login(virtual, notes)
    allowed = Placed(value=True, line=login["user"].line) if login else None
    return given(type=virtual.service, allow_plain=allowed) | login


def encrypted_mailbox_keys(virtual: Virtual, _: Real, notes: Notes) -> Table:
    """The same for ``pops`` and ``imaps``; no certificate is verified, as for https."""
    service = virtual.service
    notes.oddity(Oddity.UNVERIFIED, service.line, service.value)
    tls = given(verify=Placed(value=False, line=service.line))
    return given(type=service, tls=Placed(tls, service.line)) | _login(virtual, notes)


def _login(virtual: Virtual, notes: Notes) -> Table:
    user, password = virtual.values.quoted("login"), virtual.values.quoted("passwd")
    service = virtual.service
    if user is not None:
        return given(user=user, password=password or Placed("", user.line))
    if service.value in _POP:
        text = (
            f"service={service.value} has no login: the server must greet and answer CAPA; ldirectord takes it for up,"
            " even if nobody listens"
        )
        notes.warning(service.line, text)
    return {}
