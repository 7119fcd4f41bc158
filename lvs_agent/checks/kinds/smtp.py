"""SMTP dialogue up to QUIT, with TLS and a login if configured; no mail is sent."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from lvs_agent.checks.kinds._mail import StartTlsSettings, demand
from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, Reply, converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Passed, Target

INLINE = True

EXAMPLE = """\
type = "smtp"
helo = "director.example.com"
starttls = "required"
tls = { server_name = "mail.example.com" }
"""
PASSES = (
    "The banner has code 220 and EHLO is answered with 250 (HELO, if EHLO is refused with a code of 5xx); STARTTLS,"
    " capability and login succeed if they are configured. The session ends with QUIT; no mail is sent."
)
FAILS = {
    FailureReason.STATUS: "the banner or an answer has another code, or the login is refused; the server's message is"
    " shown",
    FailureReason.CONTENT: "STARTTLS, the required capability, or both AUTH PLAIN and AUTH LOGIN are not offered",
    FailureReason.PROTOCOL: "the answer is not SMTP, or the connection ends early",
    FailureReason.TLS: "the handshake fails, or the certificate is not accepted",
}
SEEN = (
    "A connection without a transaction: Postfix logs connect, and disconnect with ehlo=1 quit=1 (starttls=1 and auth=1"
    " where they are configured)."
)

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[A-Za-z0-9:.]+\]")
_EHLO = "answer to EHLO"
_AUTH = "answer to AUTH"


def _helo(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError('must be a host name or an address in brackets, like "director.example.com"')
    return value


class Settings(StartTlsSettings):
    """Keys of a check with ``type = "smtp"``."""

    default_port: ClassVar[int | None] = 25

    helo: Annotated[str, Field(max_length=255), AfterValidator(_helo)] = "localhost.localdomain"
    """Name of the client in EHLO and HELO."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One session without a mail transaction (RFC 5321)."""
    return await converse(target, run, talk)


async def talk(dialogue: Dialogue) -> Passed:
    """The session itself, for every service that speaks SMTP."""
    settings: Settings = dialogue.target.settings
    await dialogue.expect(220, of="banner")
    greeting = await _greet(dialogue, settings.helo)
    if settings.uses_tls:
        demand("STARTTLS", offered=greeting.lines[1:], of=_EHLO)
        await dialogue.send("STARTTLS")
        await dialogue.expect(220, of="answer to STARTTLS")
        await dialogue.start_tls(settings.tls)
        greeting = await _greet(dialogue, settings.helo)
    demand(settings.capability, offered=greeting.lines[1:], of=_EHLO)
    done = dialogue.shown(f"{greeting.code} {greeting.lines[0]}")
    if settings.login is not None:
        await _log_in(dialogue, *settings.login, offered=greeting.lines[1:])
        done += ", logged in"
    await dialogue.leave("QUIT")
    return Passed(done)


async def _greet(dialogue: Dialogue, name: str) -> Reply:
    """The answer to EHLO; what the server offers is in its lines but the first."""
    await dialogue.send(f"EHLO {name}")
    reply = await dialogue.reply(of=_EHLO)
    if reply.code // 100 == 5:
        await dialogue.send(f"HELO {name}")
        reply = await dialogue.expect(250, of="answer to HELO")
        return reply._replace(lines=reply.lines[:1])
    if reply.code != 250:
        raise CheckFailed(FailureReason.STATUS, f"{_EHLO}: {dialogue.shown(reply.words)}")
    return reply


async def _log_in(dialogue: Dialogue, user: str, password: str, *, offered: tuple[str, ...]) -> None:
    """AUTH PLAIN (RFC 4616), or AUTH LOGIN where that is all there is."""
    mechanisms = {
        word for line in offered if line[:5].upper() in {"AUTH ", "AUTH="} for word in line[5:].upper().split()
    }
    plain, of_password = _base64(f"\0{user}\0{password}"), _base64(password)
    dialogue.hide(plain, of_password, password)
    if "PLAIN" in mechanisms:
        await dialogue.send(f"AUTH PLAIN {plain}")
        reply = await dialogue.reply(of=_AUTH)
        lines = [plain] if reply.code == 334 else []  # a server that takes no response in the command itself
    elif "LOGIN" in mechanisms:
        await dialogue.send("AUTH LOGIN")
        reply = await dialogue.reply(of=_AUTH)
        lines = [_base64(user), of_password]
    else:
        raise CheckFailed(FailureReason.CONTENT, f"{_EHLO}: neither AUTH PLAIN nor AUTH LOGIN is offered")
    for line in lines:
        if reply.code != 334:
            break
        await dialogue.send(line)
        reply = await dialogue.reply(of=_AUTH)
    if reply.code != 235:
        raise CheckFailed(FailureReason.STATUS, f"{_AUTH}: {dialogue.shown(reply.words)}")


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
