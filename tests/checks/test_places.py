"""Places, and the law that none is ever lost or given twice."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.priority_semaphore import Places
from tests.checks.servers import run

Waiter = asyncio.Task[None]

TOTAL, KEPT = 3, 1


def waiter(places: Places, *, doubtful: bool = False) -> Waiter:
    """Somebody who wants a place and waits for it where there is none."""

    async def take() -> None:
        if not places.take_at_once(doubtful=doubtful):
            await places.take_in_turn(doubtful=doubtful)

    return asyncio.get_running_loop().create_task(take(), name="waiter")


async def settled() -> None:
    """Let everybody get as far as they can."""
    for _ in range(4):
        await asyncio.sleep(0)


def served(waiters: list[Waiter]) -> list[int]:
    """Whose turn it has been."""
    return [number for number, task in enumerate(waiters) if task.done() and not task.cancelled()]


def test_first_come_first_served() -> None:
    """Places go to who has waited longest, and nobody passes by those who wait."""

    async def main() -> None:
        places = Places(1)
        assert places.take_at_once()
        waiters = [waiter(places) for _ in range(3)]
        await settled()
        for number in range(3):
            assert places.waiting == 3 - number
            places.give_back()
            assert not places.take_at_once()
            await settled()
            assert served(waiters) == list(range(number + 1))
        places.give_back()
        assert places.take_at_once()

    run(main())


def test_those_in_doubt_leave_the_kept_places() -> None:
    """The kept places are free to others however many in doubt wait, and those in doubt come last."""

    async def main() -> None:
        places = Places(2, kept=1)
        assert places.take_at_once(doubtful=True)
        doubtful = waiter(places, doubtful=True)
        await settled()
        assert places.take_at_once()
        other = waiter(places)
        await settled()
        places.give_back()
        await settled()
        assert other.done()
        assert not doubtful.done()
        places.give_back()
        await settled()
        assert not doubtful.done(), "the one place that is free is the kept one"
        places.give_back()
        await settled()
        assert doubtful.done()

    run(main())


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_a_place_that_becomes_free_with_a_cancellation_is_passed_on(*, cancelled_first: bool) -> None:
    """Whichever comes first within one turn of the loop: the cancelled has no place, and the next one has it."""

    async def main() -> None:
        places = Places(1)
        assert places.take_at_once()
        waiters = [waiter(places), waiter(places)]
        await settled()
        if cancelled_first:
            waiters[0].cancel()
            places.give_back()
        else:
            places.give_back()
            waiters[0].cancel()
        await settled()
        assert waiters[0].cancelled()
        assert served(waiters) == [1]
        assert places.waiting == 0
        places.give_back()
        assert places.take_at_once()

    run(main())


STEPS = st.lists(st.tuples(st.sampled_from(["come", "doubt", "leave", "cancel", "turn"]), st.integers(0, 5)))


@given(STEPS)
def test_no_place_is_lost_or_given_twice(steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, there are never more at work than places, and in the end all are free."""

    async def main() -> None:
        places, waiters, held = Places(TOTAL, kept=KEPT), list[Waiter](), set[Waiter]()

        def count() -> None:
            held.update(task for task in waiters if task.done() and not task.cancelled() and task.exception() is None)
            assert all(task.cancelled() or task.exception() is None for task in waiters if task.done())
            assert len(held) <= TOTAL
            waiters[:] = [task for task in waiters if not task.done()]

        for step, number in steps:
            if step in {"come", "doubt"}:
                waiters.append(waiter(places, doubtful=step == "doubt"))
            elif step == "leave" and held:
                held.pop()
                places.give_back()
            elif step == "cancel" and waiters:
                waiters[number % len(waiters)].cancel()
            elif step == "turn":
                await settled()
                count()
        while True:
            await settled()
            count()
            assert held or not waiters, "somebody waits although nobody is at work"
            if not held:
                break
            held.pop()
            places.give_back()
        assert places.waiting == 0
        assert [places.take_at_once() for _ in range(TOTAL + 1)] == [True] * TOTAL + [False]

    run(main())
