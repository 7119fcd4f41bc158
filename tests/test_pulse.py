"""How long another process has owed an answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from lvs_agent.pulse import Pulse

EVERY_S = 0.01


async def looks(pulse: Pulse, turns: int, *, late_s: float = 0.0, answered: int = -1) -> list[float]:
    """What ``look`` gets in so many turns.

    ``late_s``: for how long the loop stands in the first of them.  ``answered``: the turn after which the process
    answers.
    """
    told: list[float] = []

    def look(silent_s: float) -> None:
        told.append(silent_s)
        if len(told) == 1:
            time.sleep(late_s)
        if len(told) == answered:
            pulse.heard()
        if len(told) == turns:
            raise EOFError

    with suppress(EOFError):
        await pulse.watch(EVERY_S, look)
    return [round(silent_s / EVERY_S) for silent_s in told]


def test_silence_grows_until_something_is_heard() -> None:
    """One question is enough, however long the answer takes, and the next one follows the answer."""
    asked: list[None] = []

    def ask() -> bool:
        asked.append(None)
        return True

    assert asyncio.run(looks(Pulse(ask), 5, answered=3)) == [1, 2, 3, 1, 2]
    assert len(asked) == 2


def test_own_lateness_does_not_count() -> None:
    """A loop that stood still for a hundred turns has heard nobody, and blames nobody."""
    assert asyncio.run(looks(Pulse(lambda: True), 3, late_s=100 * EVERY_S)) == [1, 2, 3]


def test_who_is_asked_nothing_owes_nothing() -> None:
    """There is nothing to ask as long as there is nothing to wait for."""
    assert asyncio.run(looks(Pulse(lambda: False), 3)) == [0, 0, 0]
