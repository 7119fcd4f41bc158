"""NNTP greeting; login and newsgroup must be accepted if they are configured."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar, Self

from pydantic import model_validator

from lvs_agent.checks.net.dialogue import Dialogue, converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Line, SecretLine

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "nntp"
user = "monitor"
password_file = "/etc/lvs-agent/news-password"
group = "local.test"
"""

PASSES = "The greeting is 200 or 201; with user, the login is accepted; with group, the server has that newsgroup."

FAILS = {
    FailureReason.STATUS: "the greeting is another one (400, 502), or the login or the newsgroup is refused",
    FailureReason.PROTOCOL: "the answer is not NNTP, or the server closes the connection",
    FailureReason.TLS: "with a tls table: the handshake fails, or the certificate is not accepted",
}

SEEN = "A connection with AUTHINFO USER and PASS (with user), GROUP (with group) and QUIT."

_READY, _GROUP_SELECTED, _ACCEPTED, _PASSWORD_REQUIRED, _TLS_WANTED = (200, 201), 211, 281, 381, 382


class Settings(CheckSettings):
    """Keys of a check with ``type = "nntp"``."""

    default_port: ClassVar[int | None] = 119

    user: Line | None = None
    """User to log in as (AUTHINFO USER, RFC 4643).  Without it there is no login."""
    password: SecretLine | None = None
    """The password of user."""
    group: Line | None = None
    """A newsgroup that the server must have."""
    starttls: bool = False
    """Whether to start TLS after the greeting (RFC 4642)."""
    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification.  Without starttls, TLS is used from the start
    (usually on port 563)."""

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password must be set together")
        return self

    @property
    def uses_tls(self) -> bool:
        return self.starttls or self.tls is not None


def probe(target: Target, run: ProbeRun) -> Awaitable[CheckResult]:
    """Greeting, login and newsgroup where wanted, QUIT."""
    settings: Settings = target.settings
    return converse(target, run, _talk, tls=None if settings.starttls else settings.tls)


async def _talk(dialogue: Dialogue) -> Passed | Failed:
    settings: Settings = dialogue.target.settings
    last = await dialogue.expect(*_READY, of="greeting")
    if settings.starttls:
        await dialogue.send("STARTTLS")
        await dialogue.expect(_TLS_WANTED, of="STARTTLS")
        await dialogue.start_tls(settings.tls or TlsSettings())
    if settings.user is not None and settings.password is not None:
        await _log_in(dialogue, user=settings.user, password=settings.password.get_secret_value())
    if settings.group is not None:
        await dialogue.send(f"GROUP {settings.group}")
        last = await dialogue.expect(_GROUP_SELECTED, of="GROUP")
    await dialogue.leave("QUIT")
    return Passed(dialogue.shown(last.words))


async def _log_in(dialogue: Dialogue, *, user: str, password: str) -> None:
    dialogue.hide(password)
    await dialogue.send(f"AUTHINFO USER {user}")
    reply = await dialogue.expect(_PASSWORD_REQUIRED, _ACCEPTED, of="AUTHINFO USER")
    if reply.code == _PASSWORD_REQUIRED:
        await dialogue.send(f"AUTHINFO PASS {password}")
        await dialogue.expect(_ACCEPTED, of="AUTHINFO PASS")
