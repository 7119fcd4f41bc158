"""LDAP bind over TLS from the start; an entry must be found if one is configured."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar

from pydantic import Field

from lvs_agent.checks.kinds import ldap
from lvs_agent.checks.kinds.ldap.session import Session
from lvs_agent.checks.net.dialogue import Dialogue, converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "ldaps"
tls = { server_name = "ldap.example.com" }
base = "dc=example,dc=com"
dn_regex = "(?i)^dc=example,"
"""

PASSES = ldap.PASSES

FAILS = ldap.FAILS | {
    FailureReason.TLS: "the handshake fails, the certificate is not accepted, or the server does not speak TLS"
}

SEEN = ldap.SEEN


class Settings(ldap.LdapSettings):
    """Keys of a check with ``type = "ldaps"``."""

    default_port: ClassVar[int | None] = 636

    tls: TlsSettings = Field(default_factory=TlsSettings)
    """Settings of TLS and of the certificate's verification."""


def probe(target: Target, run: ProbeRun) -> Awaitable[CheckResult]:
    """One session over TLS: bind, search if configured, unbind."""
    settings: Settings = target.settings
    return converse(target, run, _talk, tls=settings.tls)


async def _talk(dialogue: Dialogue) -> Passed | Failed:
    return await ldap.ask(Session(dialogue), dialogue.target.settings)
