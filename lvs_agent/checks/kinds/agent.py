"""What an agent on the server reports, as with HAProxy's agent-check: state and share of the weight."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import Field

from lvs_agent.checks.net.dialogue import Dialogue, converse, printable
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings

INLINE = True
MOST_PERCENT = 256
"""HAProxy takes no larger share (``_srv_parse_agent`` and the weight's limit, configuration manual 5.2)."""

EXAMPLE = """
type = "agent"
port = 9777
send = "state\\n"
"""
PASSES = "The agent says up or ready, a share of the weight, drain (weight 0), or nothing else."
FAILS = {
    FailureReason.STATUS: "it says down, failed, fail, stopped or maint",
    FailureReason.PROTOCOL: "it says nothing, or a word that HAProxy's agents do not use",
}
SEEN = "A connection that is closed after one line."

_PERCENT = re.compile(r"(\d{1,4})%")
_UP = frozenset({"up", "ready"})
_DOWN = frozenset({"down", "fail", "failed", "stopped", "maint"})
"""HAProxy does not know "failed" and ignores it; here it means down."""
_IGNORED = re.compile(r"maxconn:\d+")


class Settings(CheckSettings):
    """Keys of a check with ``type = "agent"``."""

    gives_weight: ClassVar[bool] = True

    send: Annotated[str, Field(max_length=1_000)] = ""
    """Text to send first; many agents need none."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One line, and what it asks for."""
    settings: Settings = target.settings

    async def talk(dialogue: Dialogue) -> Passed | Failed:
        if settings.send:
            await dialogue.send_raw(settings.send.encode())
        line = await dialogue.line(of="the agent's line")
        return judge(line.decode("utf-8", "replace"))

    return await converse(target, run, talk)


def judge(line: str, *, source: str = "the agent") -> Passed | Failed:
    """What an agent's line says: words separated by blanks or commas, then ``#`` and a reason.  ``source`` said it."""
    said, _, reason = line.partition("#")
    words = said.replace(",", " ").split()
    detail = printable(" ".join(words) + (f" ({reason.strip()})" if reason.strip() else ""))
    if not words:
        return Failed(FailureReason.PROTOCOL, f"{source} said nothing")
    percent: int | None = None
    for word in words:
        share = _PERCENT.fullmatch(word)
        if word.lower() in _DOWN:
            return Failed(FailureReason.STATUS, f"{source} says {detail}")
        if share:
            percent = min(int(share[1]), MOST_PERCENT) if percent != 0 else 0
        elif word.lower() == "drain":
            percent = 0
        elif word.lower() not in _UP and not _IGNORED.fullmatch(word):
            return Failed(FailureReason.PROTOCOL, f"{source} says an unknown word: {printable(word)}")
    return Passed(f"{source} says {detail}", weight_percent=100 if percent is None else percent)
