"""POP3 dialogue over TLS up to QUIT, with a login if configured; no mail is touched."""

from __future__ import annotations

from typing import ClassVar

from lvs_agent.checks.kinds import pop
from lvs_agent.checks.kinds._mail import EncryptedSettings
from lvs_agent.checks.net.dialogue import converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Target

INLINE = True

EXAMPLE = """\
type = "pops"
tls = { server_name = "mail.example.com" }
user = "check@example.com"
password_file = "/etc/lvs-agent/mail-password"
"""
PASSES = (
    "The TLS handshake succeeds, and then the same as with pop: the banner, CAPA, and capability, login and STAT"
    " if they are configured, up to QUIT; nothing is read or deleted."
)
FAILS = {**pop.FAILS, FailureReason.CONTENT: "the required capability is not offered"}
SEEN = pop.SEEN


class Settings(EncryptedSettings):
    """Keys of a check with ``type = "pops"``."""

    default_port: ClassVar[int | None] = 995


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One session that touches no mail, over TLS (RFC 8314, 3.3)."""
    settings: Settings = target.settings
    return await converse(target, run, pop.open_encrypted, tls=settings.tls)
