"""IMAP dialogue over TLS up to LOGOUT, with a login if configured; no mailbox is opened."""

from __future__ import annotations

from typing import ClassVar

from lvs_agent.checks.kinds import imap
from lvs_agent.checks.kinds._mail import EncryptedSettings
from lvs_agent.checks.net.dialogue import converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Target

INLINE = True

EXAMPLE = """\
type = "imaps"
tls = { server_name = "mail.example.com" }
user = "check@example.com"
password_file = "/etc/lvs-agent/mail-password"
"""
PASSES = (
    "The TLS handshake succeeds, and then the same as with imap: the banner, CAPABILITY, NOOP, and capability and"
    " login if they are configured, up to LOGOUT; no mailbox is opened, and nothing is expunged."
)
FAILS = {**imap.FAILS, FailureReason.CONTENT: "the required capability is not offered"}
SEEN = imap.SEEN


class Settings(EncryptedSettings):
    """Keys of a check with ``type = "imaps"``."""

    default_port: ClassVar[int | None] = 993


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One session without a mailbox, over TLS (RFC 8314, 3.2)."""
    settings: Settings = target.settings
    return await converse(target, run, imap.open_encrypted, tls=settings.tls)
