"""FTP login; a file must exist and match if one is configured."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from functools import cached_property
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from lvs_agent.checks.kinds.ftp import transfer as ftp_transfer
from lvs_agent.checks.net.dialogue import Dialogue, converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Line, Regex, SecretLine, Size

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "ftp"
user = "monitor"
password_file = "/etc/lvs-agent/ftp-password"
directory = "/pub"
path = "status.txt"
body_regex = "^ready"
"""

PASSES = (
    "The login is accepted; with directory, CWD is accepted; with path, that file is received completely and matches"
    " body_regex."
)

FAILS = {
    FailureReason.STATUS: "the server refuses: the greeting, login, directory, passive mode or file",
    FailureReason.CONTENT: "body_regex does not match the file",
    FailureReason.PROTOCOL: "the answer is not FTP, the server closes the connection, or the file is cut short",
    FailureReason.REFUSED: "the port, or the port that the server named for the file, is closed",
}

SEEN = "A session with USER, PASS, CWD (with directory), TYPE I, EPSV or PASV, and RETR (with path), and QUIT."

_READY, _LOGGED_IN, _NEEDS_PASSWORD, _DONE = 220, (230, 202), 331, (250, 200)
_NOBODY = frozenset({"anonymous", "ftp"})
_ADDRESS_OF_NOBODY = "lvs-agent@localhost"


class Settings(CheckSettings):
    """Keys of a check with ``type = "ftp"``."""

    default_port: ClassVar[int | None] = 21

    user: Line = "anonymous"
    """User to log in as."""
    password: SecretLine | None = None
    """The password of user; not needed for "anonymous" and "ftp"."""
    directory: Line | None = None
    """Directory to change to first."""
    path: Line | None = None
    """File to fetch, in binary and passive mode (EPSV, over IPv4 also PASV).  The data connection always goes to the
    checked address, whatever address the server names."""
    body_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in the file, decoded as UTF-8; needs path."""
    body_limit: Annotated[Size, Field(ge=1, le=1_048_576)] = 65_536
    """Maximum part of the file that is read and that body_regex sees; at most 1MiB."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.password is None and self.user not in _NOBODY:
            raise ValueError("user needs password")
        if self.body_regex is not None and self.path is None:
            raise ValueError("body_regex needs path")
        return self

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """``body_regex`` compiled."""
        return None if self.body_regex is None else re.compile(self.body_regex)


def probe(target: Target, run: ProbeRun) -> Awaitable[CheckResult]:
    """Log in, fetch the file if one is configured, QUIT."""
    return converse(target, run, _talk)


async def _talk(dialogue: Dialogue) -> Passed | Failed:
    settings: Settings = dialogue.target.settings
    await dialogue.expect(_READY, of="greeting")
    await _log_in(dialogue, settings)
    if settings.directory is not None:
        await dialogue.send(f"CWD {settings.directory}")
        await dialogue.expect(*_DONE, of="CWD")
    result: Passed | Failed = Passed("logged in")
    if settings.path is not None:
        body = await ftp_transfer.fetch(dialogue, settings.path, limit=settings.body_limit)
        result = _judge(body, settings.pattern)
    await dialogue.leave("QUIT")
    return result


async def _log_in(dialogue: Dialogue, settings: Settings) -> None:
    await dialogue.send(f"USER {settings.user}")
    reply = await dialogue.expect(*_LOGGED_IN, _NEEDS_PASSWORD, of="USER")
    if reply.code != _NEEDS_PASSWORD:
        return
    password = _ADDRESS_OF_NOBODY
    if settings.password is not None:
        password = settings.password.get_secret_value()
        dialogue.hide(password)
    await dialogue.send(f"PASS {password}")
    await dialogue.expect(*_LOGGED_IN, of="PASS")


def _judge(body: bytes, pattern: re.Pattern[str] | None) -> Passed | Failed:
    if pattern is not None and not pattern.search(body.decode("utf-8", "replace")):
        return Failed(FailureReason.CONTENT, f"body_regex does not match in the {len(body)} bytes of the file")
    return Passed(f"fetched {len(body)} bytes")
