"""The steps of a TCP check: something to send, something to expect, in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, converse, printable
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.scalars import Regex
from lvs_agent.settings.strict import Strict

_LOSSLESS = "surrogateescape"
"""How bytes that are not UTF-8 are kept in a text, so that it gives the same bytes again."""
_SHOWN = 60


def _hex(value: str) -> str:
    try:
        bytes.fromhex(value)
    except ValueError:
        raise ValueError('must be pairs of hexadecimal digits, like "0d 0a"') from None
    return value


def as_tuple(value: object) -> object:
    """What a list in TOML is for a frozen model."""
    return tuple(value) if isinstance(value, list) else value


Text = Annotated[str, Field(min_length=1, max_length=4_096)]
Hex = Annotated[str, Field(min_length=2, max_length=8_192), AfterValidator(_hex)]


class Step(Strict):
    """One step."""

    send: Text | None = None
    """Text to send, in UTF-8.  Line ends must be written ("\\r\\n"); none is added."""
    send_hex: Hex | None = None
    """Bytes to send, in hexadecimal digits; blanks between them do not count."""
    expect: Text | None = None
    """Text that must occur anywhere in what the server sends after the match of the previous step."""
    expect_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in what the server sends, decoded as UTF-8; "^" and "$"
    match at the start and the end of a line.  It is tried whenever data arrives, on everything received so far: end it
    with "\\r?\\n" to match a whole line."""
    expect_hex: Hex | None = None
    """Bytes that must occur there, in hexadecimal digits."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        sends = sum(each is not None for each in (self.send, self.send_hex))
        expects = sum(each is not None for each in (self.expect, self.expect_regex, self.expect_hex))
        if sends > 1:
            raise ValueError("only one of send and send_hex can be in a step")
        if expects > 1:
            raise ValueError("only one of expect, expect_regex and expect_hex can be in a step")
        if not sends + expects:
            raise ValueError("a step needs something to send or to expect")
        return self

    @cached_property
    def outgoing(self) -> bytes:
        """What to send; empty: nothing."""
        return (self.send or "").encode() or bytes.fromhex(self.send_hex or "")

    @cached_property
    def expects(self) -> bool:
        """Whether anything must come."""
        return self._literal != b"" or self._pattern is not None

    def end_of_match(self, data: bytes) -> int | None:
        """Where in ``data`` ends what is expected; None where it is not there."""
        if self._pattern is None:
            begin = data.find(self._literal)
            return None if begin < 0 else begin + len(self._literal)
        text = data.decode("utf-8", _LOSSLESS)
        found = self._pattern.search(text)
        return None if found is None else len(text[: found.end()].encode("utf-8", _LOSSLESS))

    @cached_property
    def _literal(self) -> bytes:
        return (self.expect or "").encode() or bytes.fromhex(self.expect_hex or "")

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.expect_regex is None else re.compile(self.expect_regex, re.MULTILINE)


async def check(
    target: Target, run: ProbeRun, steps: Sequence[Step], *, half_close: bool, limit: int, tls: TlsSettings | None
) -> CheckResult:
    """The result of all ``steps`` over a new connection.

    ``half_close``: end our direction after the last one that sends.  ``limit``: most bytes to read.
    """
    last = max((number for number, step in enumerate(steps) if step.outgoing), default=-1) if half_close else None

    async def talk(dialogue: Dialogue) -> Passed | Failed:
        heard = _Heard(dialogue, limit)
        if last == -1:
            dialogue.end_sending()
        for number, step in enumerate(steps):
            if step.outgoing:
                await dialogue.send_raw(step.outgoing)
            if number == last:
                dialogue.end_sending()
            if step.expects:
                await heard.until(step, of=f"step {number + 1}")
        return Passed(f"{len(steps)} steps" if len(steps) > 1 else "as expected" if steps else "connected")

    return await converse(target, run, talk, tls=tls)


class _Heard:
    """What has come and was not found by an earlier step."""

    def __init__(self, dialogue: Dialogue, limit: int) -> None:
        self._dialogue = dialogue
        self._left = limit
        self._data = b""

    async def until(self, step: Step, *, of: str) -> None:
        """Read until what ``step`` expects has come.  Raises CheckFailed."""
        waiting_for = f"{of}: what is expected"
        while (end := step.end_of_match(self._data)) is None:
            if not self._left:
                raise CheckFailed(FailureReason.CONTENT, f"{of}: not what is expected within read_limit: {self._shown}")
            data = await self._dialogue.some(of=waiting_for)
            if not data and not self._data:
                raise CheckFailed(FailureReason.PROTOCOL, f"{of}: the server has closed the connection")
            if not data:
                raise CheckFailed(FailureReason.CONTENT, f"{of}: not what is expected: {self._shown}")
            self._data += data[: self._left]
            self._left -= min(len(data), self._left)
            waiting_for = f"{of}: what is expected, so far {self._shown}"
        self._data = self._data[end:]

    @property
    def _shown(self) -> str:
        return printable(repr(self._data[:_SHOWN].decode("utf-8", "replace")))
