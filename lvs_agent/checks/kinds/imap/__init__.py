"""IMAP dialogue up to LOGOUT, with TLS and a login if configured; no mailbox is opened."""

from __future__ import annotations

from typing import ClassVar

from lvs_agent.checks.kinds._mail import LoginSettings, StartTlsSettings, demand
from lvs_agent.checks.kinds.imap.session import ImapSession, quoted
from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Passed, Target

INLINE = True

EXAMPLE = """\
type = "imap"
starttls = "required"
tls = { server_name = "mail.example.com" }
user = "check@example.com"
password_file = "/etc/lvs-agent/mail-password"
"""
PASSES = (
    "The banner is OK (or PREAUTH) and the server answers CAPABILITY; STARTTLS, capability and login succeed if they"
    " are configured, and NOOP succeeds. The session ends with LOGOUT; no mailbox is opened, and nothing is expunged."
)
FAILS = {
    FailureReason.STATUS: "the banner is BYE, the server answers NO or BAD, or refuses the login or any login"
    " (LOGINDISABLED); its message is shown",
    FailureReason.CONTENT: "STARTTLS or the required capability is not offered",
    FailureReason.PROTOCOL: "the answer is not IMAP, or the connection ends early",
    FailureReason.TLS: "the handshake fails, or the certificate is not accepted",
}
SEEN = (
    'A session without a login (Dovecot logs "no auth attempts"), or a login and a logout. Dovecot delays the'
    " refusal of a login by two seconds (auth_failure_delay): with a shorter timeout the reason is read_timeout instead"
    " of status."
)

_CAPABILITY = "answer to CAPABILITY"


class Settings(StartTlsSettings):
    """Keys of a check with ``type = "imap"``."""

    default_port: ClassVar[int | None] = 143


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One session without a mailbox (RFC 3501)."""
    return await converse(target, run, _talk)


async def _talk(dialogue: Dialogue) -> Passed:
    settings: Settings = dialogue.target.settings
    session = ImapSession(dialogue)
    await session.greeting()
    if settings.uses_tls:
        demand("STARTTLS", offered=await session.capabilities(), of=_CAPABILITY)
        await session.command("STARTTLS")
        await dialogue.start_tls(settings.tls)
    return await _use(session, dialogue, settings)


async def open_encrypted(dialogue: Dialogue) -> Passed:
    """The session where TLS was spoken from the start."""
    session = ImapSession(dialogue)
    await session.greeting()
    return await _use(session, dialogue, dialogue.target.settings)


async def _use(session: ImapSession, dialogue: Dialogue, settings: LoginSettings) -> Passed:
    offered = await session.capabilities()
    demand(settings.capability, offered=offered, of=_CAPABILITY)
    if settings.login is not None:
        if "LOGINDISABLED" in map(str.upper, offered):
            raise CheckFailed(FailureReason.STATUS, f"{_CAPABILITY}: LOGINDISABLED, this connection allows no login")
        user, password = settings.login
        dialogue.hide(quoted(password), password)
        await session.command("LOGIN", user, password)
    await session.command("NOOP")
    await dialogue.leave("z LOGOUT")
    return Passed("ready" if settings.login is None else "logged in")
