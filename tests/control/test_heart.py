from __future__ import annotations

import asyncio

from lvs_agent.clock import ManualClock, SystemClock
from lvs_agent.control.heart import Heart

LIMIT_S = 0.02
PATIENCE_S = 10.0


def test_watchdog_is_fed_while_rounds_are_made() -> None:
    """Each beat within the watchdog's time feeds it."""
    fed = asyncio.Event()

    async def scenario() -> None:
        heart = Heart(clock=SystemClock(), makes_progress=lambda _: True, feed=fed.set, watchdog_s=LIMIT_S)
        task = asyncio.create_task(heart.run())
        await asyncio.wait_for(fed.wait(), PATIENCE_S)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(scenario())


def test_watchdog_is_not_fed_where_no_round_is_made() -> None:
    """A loop that turns is not enough: an agent that makes no rounds is to be restarted."""
    asked: list[float] = []
    fed: list[None] = []

    async def scenario() -> None:
        enough = asyncio.Event()

        def makes_progress(now: float) -> bool:
            asked.append(now)
            if len(asked) == 3:
                enough.set()
            return False

        heart = Heart(
            clock=SystemClock(), makes_progress=makes_progress, feed=lambda: fed.append(None), watchdog_s=LIMIT_S
        )
        task = asyncio.create_task(heart.run())
        await asyncio.wait_for(enough.wait(), PATIENCE_S)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(scenario())
    assert fed == []


def test_age_is_the_time_since_the_last_beat() -> None:
    """Without a loop that runs it grows."""
    clock = ManualClock()
    heart = Heart(clock=clock, makes_progress=lambda _: True, feed=lambda: None, watchdog_s=None)
    clock.advance(7.5)

    assert heart.age_s == 7.5
