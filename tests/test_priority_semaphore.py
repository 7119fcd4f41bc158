"""The priority semaphore, and the law that no permit is ever lost or given twice."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.priority_semaphore import PrioritySemaphore
from tests.checks.servers import run

Waiter = asyncio.Task[None]

LIMIT, RESERVED = 3, 1


def waiter(semaphore: PrioritySemaphore, *, low_priority: bool = False) -> Waiter:
    """A task that acquires the semaphore, waiting for it if it must."""

    async def take() -> None:
        if not semaphore.try_acquire(low_priority=low_priority):
            await semaphore.acquire(low_priority=low_priority)

    return asyncio.get_running_loop().create_task(take(), name="waiter")


async def settled() -> None:
    """Let every task get as far as it can."""
    for _ in range(4):
        await asyncio.sleep(0)


def served(waiters: list[Waiter]) -> list[int]:
    """Which tasks have acquired it."""
    return [number for number, task in enumerate(waiters) if task.done() and not task.cancelled()]


def test_first_come_first_served() -> None:
    """It goes to the task that has waited longest, and no later one overtakes those that wait."""

    async def main() -> None:
        semaphore = PrioritySemaphore(1)
        assert semaphore.try_acquire()
        waiters = [waiter(semaphore) for _ in range(3)]
        await settled()
        for number in range(3):
            assert semaphore.waiting == 3 - number
            semaphore.release()
            assert not semaphore.try_acquire()
            await settled()
            assert served(waiters) == list(range(number + 1))
        semaphore.release()
        assert semaphore.try_acquire()

    run(main())


def test_low_priority_leaves_the_reserved_permits() -> None:
    """They are free to others however many tasks of low priority wait, and those are served last."""

    async def main() -> None:
        semaphore = PrioritySemaphore(2, reserved=1)
        assert semaphore.try_acquire(low_priority=True)
        low = waiter(semaphore, low_priority=True)
        await settled()
        assert semaphore.try_acquire()
        other = waiter(semaphore)
        await settled()
        semaphore.release()
        await settled()
        assert other.done()
        assert not low.done()
        semaphore.release()
        await settled()
        assert not low.done(), "the one permit that is free is reserved"
        semaphore.release()
        await settled()
        assert low.done()

    run(main())


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_release_at_the_same_moment_as_a_cancellation_is_passed_on(*, cancelled_first: bool) -> None:
    """Whichever comes first within one turn of the loop: the cancelled task does not hold it, and the next one does."""

    async def main() -> None:
        semaphore = PrioritySemaphore(1)
        assert semaphore.try_acquire()
        waiters = [waiter(semaphore), waiter(semaphore)]
        await settled()
        if cancelled_first:
            waiters[0].cancel()
            semaphore.release()
        else:
            semaphore.release()
            waiters[0].cancel()
        await settled()
        assert waiters[0].cancelled()
        assert served(waiters) == [1]
        assert semaphore.waiting == 0
        semaphore.release()
        assert semaphore.try_acquire()

    run(main())


STEPS = st.lists(st.tuples(st.sampled_from(["come", "come low", "leave", "cancel", "turn"]), st.integers(0, 5)))


@given(STEPS)
def test_no_permit_is_lost_or_given_twice(steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, there are never more holders than the limit, and in the end all are free."""

    async def main() -> None:
        semaphore, waiters, held = PrioritySemaphore(LIMIT, reserved=RESERVED), list[Waiter](), set[Waiter]()

        def count() -> None:
            held.update(task for task in waiters if task.done() and not task.cancelled() and task.exception() is None)
            assert all(task.cancelled() or task.exception() is None for task in waiters if task.done())
            assert len(held) <= LIMIT
            waiters[:] = [task for task in waiters if not task.done()]

        for step, number in steps:
            if step in {"come", "come low"}:
                waiters.append(waiter(semaphore, low_priority=step == "come low"))
            elif step == "leave" and held:
                held.pop()
                semaphore.release()
            elif step == "cancel" and waiters:
                waiters[number % len(waiters)].cancel()
            elif step == "turn":
                await settled()
                count()
        while True:
            await settled()
            count()
            assert held or not waiters, "a task waits although no other holds it"
            if not held:
                break
            held.pop()
            semaphore.release()
        assert semaphore.waiting == 0
        assert [semaphore.try_acquire() for _ in range(LIMIT + 1)] == [True] * LIMIT + [False]

    run(main())
