"""POP3 dialogue up to QUIT, with TLS and a login if configured; no mail is touched."""

from __future__ import annotations

from typing import ClassVar

from lvs_agent.checks.kinds._mail import LoginSettings, StartTlsSettings, demand
from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Passed, Target

INLINE = True

EXAMPLE = """\
type = "pop"
starttls = "required"
tls = { server_name = "mail.example.com" }
user = "check@example.com"
password_file = "/etc/lvs-agent/mail-password"
"""
PASSES = (
    "The banner is +OK and the server answers CAPA (a refusal passes if no capability is required); STLS, capability"
    " and login succeed if they are configured, and STAT after a login. A mailbox that is in use (RFC 2449, [IN-USE])"
    " passes, because the login succeeded. The session ends with QUIT; nothing is read or deleted."
)
FAILS = {
    FailureReason.STATUS: "the banner or an answer is -ERR, or the login is refused; the server's message is shown",
    FailureReason.CONTENT: "STLS or the required capability is not offered",
    FailureReason.PROTOCOL: "the answer is not POP3, or the connection ends early",
    FailureReason.TLS: "the handshake fails, or the certificate is not accepted",
}
SEEN = (
    'A session without a login (Dovecot logs "no auth attempts"), or a login and a logout. A mailbox can be open'
    " only once: give each director a user of its own. Dovecot delays the refusal of a login by two seconds"
    " (auth_failure_delay): with a shorter timeout the reason is read_timeout instead of status."
)

_CAPA = "answer to CAPA"
_IN_USE = "-ERR [IN-USE]"


class Settings(StartTlsSettings):
    """Keys of a check with ``type = "pop"``."""

    default_port: ClassVar[int | None] = 110


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One session that touches no mail (RFC 1939)."""
    return await converse(target, run, _talk)


async def _talk(dialogue: Dialogue) -> Passed:
    settings: Settings = dialogue.target.settings
    await _answer(dialogue, of="banner")
    if settings.uses_tls:
        demand("STLS", offered=await _capabilities(dialogue) or ("STLS",), of=_CAPA)
        await _ask(dialogue, "STLS")
        await dialogue.start_tls(settings.tls)
    return await use(dialogue, settings)


async def use(dialogue: Dialogue, settings: LoginSettings) -> Passed:
    """What is asked once TLS has started, or without it; for every service that speaks POP3."""
    offered = await _capabilities(dialogue)
    demand(settings.capability, offered=offered or (), of=_CAPA)
    done = "ready" if settings.login is None else await _log_in(dialogue, *settings.login)
    await dialogue.leave("QUIT")
    return Passed(done)


async def open_encrypted(dialogue: Dialogue) -> Passed:
    """The session where TLS was spoken from the start."""
    await _answer(dialogue, of="banner")
    return await use(dialogue, dialogue.target.settings)


async def _log_in(dialogue: Dialogue, user: str, password: str) -> str:
    dialogue.hide(password)
    await _ask(dialogue, f"USER {user}", name="USER")
    await dialogue.send(f"PASS {password}")
    answer = await _line(dialogue, of="answer to PASS")
    if answer.upper().startswith(_IN_USE):
        return "logged in, mailbox in use"
    _judge(dialogue, answer, of="answer to PASS")
    await _ask(dialogue, "STAT")
    return "logged in"


async def _capabilities(dialogue: Dialogue) -> tuple[str, ...] | None:
    """What the server offers (RFC 2449); None where it refuses to list it."""
    await dialogue.send("CAPA")
    answer = await _line(dialogue, of=_CAPA)
    if _refuses(answer):
        return None
    _judge(dialogue, answer, of=_CAPA)
    offered = []
    while (line := await _line(dialogue, of=_CAPA)) != ".":
        offered.append(line)
    return tuple(offered)


async def _ask(dialogue: Dialogue, command: str, *, name: str = "") -> None:
    """Send ``command``, shown as ``name`` in results.  Raises CheckFailed where it is refused."""
    await dialogue.send(command)
    await _answer(dialogue, of=f"answer to {name or command}")


async def _answer(dialogue: Dialogue, *, of: str) -> None:
    _judge(dialogue, await _line(dialogue, of=of), of=of)


async def _line(dialogue: Dialogue, *, of: str) -> str:
    return (await dialogue.line(of=of)).decode("utf-8", "replace")


def _judge(dialogue: Dialogue, answer: str, *, of: str) -> None:
    """Raise CheckFailed unless ``answer`` is positive (RFC 1939, 3)."""
    if answer == "+OK" or answer.startswith("+OK "):
        return
    if _refuses(answer):
        raise CheckFailed(FailureReason.STATUS, f"{of}: {dialogue.shown(answer)}")
    raise CheckFailed(FailureReason.PROTOCOL, f"{of}: not a reply: {dialogue.shown(answer) or 'an empty line'}")


def _refuses(answer: str) -> bool:
    return answer == "-ERR" or answer.startswith("-ERR ")
