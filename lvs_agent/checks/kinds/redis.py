"""Redis (or Valkey, KeyDB) PING; the server must answer, and have the required role."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from enum import Enum
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, model_validator

from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, converse, printable
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Line, SecretLine

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "redis"
user = "monitor"
password_file = "/etc/lvs-agent/redis-password"
role = "replica"
linked = true
"""

PASSES = (
    "PING is answered with PONG; with role, the server has it now; with linked, a replica is connected to its master."
)

FAILS = {
    FailureReason.STATUS: "the server answers with an error: wrong or missing credentials, still loading",
    FailureReason.CONTENT: "it has another role, or its link to the master is down",
    FailureReason.PROTOCOL: "the answer is not that of Redis, or the server closes the connection",
    FailureReason.TLS: "with a tls table: the handshake fails, or the certificate is not accepted",
}

SEEN = "A connection with AUTH (if there is a password), PING, INFO replication (if role is set) and QUIT."

_INFO_LIMIT = 65_536
_LONGEST_NUMBER = 10


class Role(Enum):
    """What a server is for those that it replicates with."""

    MASTER = "master"
    REPLICA = "replica"


_ROLES: Mapping[Role, str] = {Role.MASTER: "master", Role.REPLICA: "slave"}
"""How INFO calls them."""


def _role(value: object) -> Role:
    try:
        return Role(value)
    except ValueError:
        raise ValueError('must be "master" or "replica"') from None


class Settings(CheckSettings):
    """Keys of a check with ``type = "redis"``."""

    default_port: ClassVar[int | None] = 6379

    user: Line | None = None
    """User to log in as (an ACL user, Redis 6 and newer).  Without it the password is the one of requirepass."""
    password: SecretLine | None = None
    """Password to log in with.  Without it there is no login."""
    role: Annotated[Role | None, BeforeValidator(lambda value: None if value is None else _role(value))] = None
    """"master" or "replica": what the server must be right now.  Without it both pass."""
    linked: bool = False
    """Whether a replica must be connected to its master; needs role = "replica"."""
    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification.  Without this table TLS is not used."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.user is not None and self.password is None:
            raise ValueError("user needs password")
        if self.linked and self.role is not Role.REPLICA:
            raise ValueError('linked needs role = "replica"')
        return self


def probe(target: Target, run: ProbeRun) -> Awaitable[CheckResult]:
    """Log in if configured, PING, compare the role if configured, QUIT."""
    settings: Settings = target.settings
    return converse(target, run, _talk, tls=settings.tls)


async def _talk(dialogue: Dialogue) -> Passed | Failed:
    settings: Settings = dialogue.target.settings
    if settings.password is not None:
        secret = settings.password.get_secret_value()
        dialogue.hide(secret)
        words = (secret,) if settings.user is None else (settings.user, secret)
        await _simple(dialogue, "AUTH", *words, expected="OK")
    await _simple(dialogue, "PING", expected="PONG")
    result: Passed | Failed = Passed("PONG")
    if settings.role is not None:
        result = _judge(await _replication(dialogue), role=settings.role, linked=settings.linked)
    await dialogue.leave("QUIT")
    return result


async def _simple(dialogue: Dialogue, *words: str, expected: str) -> None:
    """A command whose answer must be the status ``expected``."""
    answer = await _ask(dialogue, *words)
    if answer != f"+{expected}":
        raise CheckFailed(FailureReason.PROTOCOL, f"{words[0]}: not an answer of Redis: {dialogue.shown(answer)}")


async def _replication(dialogue: Dialogue) -> Mapping[str, str]:
    """What INFO says about replication."""
    answer = await _ask(dialogue, "INFO", "replication")
    digits = answer[1:]
    if answer[:1] != "$" or not (digits.isdecimal() and len(digits) <= _LONGEST_NUMBER and int(digits) <= _INFO_LIMIT):
        raise CheckFailed(FailureReason.PROTOCOL, f"INFO: not an answer of Redis: {dialogue.shown(answer)}")
    text = await dialogue.exactly(int(digits) + 2, of="answer to INFO")
    pairs = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return {key: value for key, _, value in pairs}


async def _ask(dialogue: Dialogue, *words: str) -> str:
    """The first line of the answer to a command, which must not be an error."""
    parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    await dialogue.send_raw(f"*{len(words)}\r\n{parts}".encode())
    answer = (await dialogue.line(of=f"answer to {words[0]}")).decode("utf-8", "replace")
    if answer.startswith("-"):
        raise CheckFailed(FailureReason.STATUS, f"{words[0]}: {dialogue.shown(answer[1:])}")
    return answer


def _judge(info: Mapping[str, str], *, role: Role, linked: bool) -> Passed | Failed:
    has = info.get("role", "")
    if has != _ROLES[role]:
        return Failed(FailureReason.CONTENT, printable(f"its role is {has or 'not reported'}, not {role.value}"))
    if linked and (link := info.get("master_link_status")) != "up":
        return Failed(FailureReason.CONTENT, printable(f"its link to the master is {link or 'not reported'}"))
    return Passed(f"PONG, {role.value}")
