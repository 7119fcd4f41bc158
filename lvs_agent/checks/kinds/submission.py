"""SMTP dialogue with a submission server, as smtp but on port 587; no mail is sent."""

from __future__ import annotations

from typing import ClassVar

from lvs_agent.checks.kinds import smtp
from lvs_agent.checks.net.dialogue import converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Target

INLINE = True

EXAMPLE = """\
type = "submission"
starttls = "required"
tls = { server_name = "mail.example.com" }
user = "check@example.com"
password_file = "/etc/lvs-agent/mail-password"
"""
PASSES = smtp.PASSES
FAILS = smtp.FAILS
SEEN = smtp.SEEN


class Settings(smtp.Settings):
    """Keys of a check with ``type = "submission"``: those of ``smtp``."""

    default_port: ClassVar[int | None] = 587


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One session without a mail transaction (RFC 6409)."""
    return await converse(target, run, smtp.talk)
