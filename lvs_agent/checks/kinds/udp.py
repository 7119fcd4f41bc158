"""UDP datagram; it must be answered, as expected if that is configured.

UDP itself does not show whether a server is there, so an answer is required.  With reply = "optional", for
servers that never answer, only an ICMP error (the port is closed) is a failure: a server that hangs, or whose host is
off, passes.
"""

from __future__ import annotations

import asyncio
import re
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lvs_agent.checks.kinds.tcp.steps import Hex, Text
from lvs_agent.checks.net.datagram import ask
from lvs_agent.checks.net.dialogue import printable
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Duration, Regex

EXAMPLE = """
[virtual_service.check]
type = "udp"
port = 123
send_hex = "1b 00000000 00000000 00000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 00000000"
expect_hex = "1c"
"""
PASSES = 'The server answers as expected; with reply = "optional", no answer within wait also passes.'
FAILS = {
    FailureReason.REFUSED: "the port is closed",
    FailureReason.UNREACHABLE: "a router reports that the server cannot be reached",
    FailureReason.CONTENT: "the answer does not contain what is expected",
    FailureReason.READ_TIMEOUT: "no answer",
}
SEEN = "A datagram from the director's address; without an answer it is sent again after 0.3 s, 0.9 s, 2.1 s ..."

_SHOWN = 60


class Settings(CheckSettings):
    """Keys of a check with ``type = "udp"``."""

    send: Text | None = None
    """Text to send, in UTF-8.  Without it and send_hex an empty datagram is sent."""
    send_hex: Hex | None = None
    """Bytes to send, in hexadecimal digits; blanks between them do not count."""
    expect: Text | None = None
    """Text that must be in the answer."""
    expect_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in the answer, decoded as UTF-8."""
    expect_hex: Hex | None = None
    """Bytes that must be in the answer, in hexadecimal digits."""
    reply: Literal["required", "optional"] = "required"
    """Whether an answer is "required" or "optional".  In both cases an answer must be as expected."""
    wait: Annotated[Duration, Field(ge=0.01, le=60)] = 0.2
    """With reply = "optional": how long to wait for an answer or an ICMP error.  It must be shorter than timeout."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.send is not None and self.send_hex is not None:
            raise ValueError("only one of send and send_hex can be given")
        if sum(each is not None for each in (self.expect, self.expect_regex, self.expect_hex)) > 1:
            raise ValueError("only one of expect, expect_regex and expect_hex can be given")
        return self

    @cached_property
    def outgoing(self) -> bytes:
        """The datagram to send."""
        return (self.send or "").encode() or bytes.fromhex(self.send_hex or "")

    def is_expected(self, answer: bytes) -> bool:
        """Whether ``answer`` has in it what it must have."""
        if self._pattern is not None:
            return self._pattern.search(answer.decode("utf-8", "replace")) is not None
        return self._literal in answer

    @cached_property
    def _literal(self) -> bytes:
        return (self.expect or "").encode() or bytes.fromhex(self.expect_hex or "")

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.expect_regex is None else re.compile(self.expect_regex)


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One datagram and the first that answers it."""
    settings: Settings = target.settings
    try:
        async with asyncio.timeout(settings.wait if settings.reply == "optional" else None):
            answer = await ask(target, run, settings.outgoing, bytes)
    except TimeoutError:
        return Passed("no answer, and no ICMP error")
    except OSError as problem:
        return outcome_of(problem)
    if settings.is_expected(answer):
        return Passed(f"answer of {len(answer)} bytes")
    return Failed(FailureReason.CONTENT, f"not as expected: {_shown(answer)}")


def _shown(answer: bytes) -> str:
    """The begin of an answer for a person: text as text, everything else as hexadecimal digits."""
    begin = answer[:_SHOWN]
    text = begin.decode("utf-8", "replace").rstrip()
    if text.isprintable() and "\ufffd" not in text:
        return printable(text) or "an empty answer"
    return begin.hex(" ", -4)
