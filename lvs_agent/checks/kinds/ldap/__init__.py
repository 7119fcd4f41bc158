"""LDAP bind, plain or with StartTLS; an entry must be found if one is configured."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from functools import cached_property
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from lvs_agent.checks.kinds.ldap.session import Session
from lvs_agent.checks.net.dialogue import Dialogue, converse, printable
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Line, Regex, SecretLine

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "ldap"
starttls = true
tls = { server_name = "ldap.example.com", ca_file = "/etc/ssl/own-ca.pem" }
bind_dn = "cn=monitor,dc=example,dc=com"
password_file = "/etc/lvs-agent/ldap-password"
base = "dc=example,dc=com"
"""

PASSES = (
    "The bind succeeds; with base, that entry exists and is visible to the bound user, and its DN matches dn_regex."
)

FAILS = {
    FailureReason.TLS: "StartTLS was accepted, but the handshake fails, or the certificate is not accepted",
    FailureReason.STATUS: "the server refuses StartTLS, the bind or the search; its result code is shown in words",
    FailureReason.CONTENT: "base is not found exactly once, or its DN does not match dn_regex",
    FailureReason.PROTOCOL: "the answer is not LDAP, or the server closes the connection",
}

SEEN = "A connection with BIND (anonymous or with bind_dn), SRCH of base with scope 0 (with base), and UNBIND."


class LdapSettings(CheckSettings):
    """Keys that LDAP checks share."""

    bind_dn: Line | None = None
    """DN to bind as, like "cn=monitor,dc=example,dc=com".  Without it the bind is anonymous."""
    password: SecretLine | None = None
    """The password of bind_dn."""
    base: Annotated[str, Field(max_length=1_000)] | None = None
    """DN of an entry that must be found (a search with scope base for (objectClass=*)).  "" is the root DSE, which
    every server has.  Without it there is no search."""
    dn_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in the DN that the server gives for base."""

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> Self:
        if (self.bind_dn is None) != (self.password is None):
            raise ValueError("bind_dn and password must be set together")
        if self.dn_regex is not None and self.base is None:
            raise ValueError("dn_regex needs base")
        return self

    @cached_property
    def dn_pattern(self) -> re.Pattern[str] | None:
        """``dn_regex`` compiled."""
        return None if self.dn_regex is None else re.compile(self.dn_regex)


class Settings(LdapSettings):
    """Keys of a check with ``type = "ldap"``."""

    default_port: ClassVar[int | None] = 389

    starttls: bool = False
    """Whether to start TLS before the bind."""
    tls: TlsSettings | None = None
    """Settings of TLS after starttls, and of the certificate's verification."""

    @model_validator(mode="after")
    def _tls_belongs_to_starttls(self) -> Self:
        if self.tls is not None and not self.starttls:
            raise ValueError('tls needs starttls = true; for TLS from the start use type = "ldaps"')
        return self

    @property
    def uses_tls(self) -> bool:
        return self.starttls


def probe(target: Target, run: ProbeRun) -> Awaitable[CheckResult]:
    """One session: StartTLS if configured, bind, search if configured, unbind."""
    return converse(target, run, _talk)


async def _talk(dialogue: Dialogue) -> Passed | Failed:
    settings: Settings = dialogue.target.settings
    session = Session(dialogue)
    if settings.starttls:
        await session.start_tls(settings.tls or TlsSettings())
    return await ask(session, settings)


async def ask(session: Session, settings: LdapSettings) -> Passed | Failed:
    """Bind, search if configured, unbind."""
    password = "" if settings.password is None else settings.password.get_secret_value()
    await session.bind(name=settings.bind_dn or "", password=password)
    result: Passed | Failed = Passed("bound")
    if settings.base is not None:
        result = _judge(await session.names_at(settings.base), settings)
    await session.unbind()
    return result


def _judge(names: list[str], settings: LdapSettings) -> Passed | Failed:
    if len(names) != 1:
        return Failed(FailureReason.CONTENT, printable(f"{len(names)} entries at {settings.base!r} instead of 1"))
    pattern = settings.dn_pattern
    if pattern is not None and not pattern.search(names[0]):
        return Failed(FailureReason.CONTENT, printable(f"{names[0]!r} does not match dn_regex"))
    return Passed(printable(f"found {names[0]!r}"))
