"""A semaphore with two priorities, fair to those that have waited in vain before."""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from contextlib import suppress
from itertools import count
from typing import NamedTuple


class _Turn(NamedTuple):
    """Somebody who waits: who held it longest ago comes first, then who came first."""

    held_at: float
    number: int
    free: asyncio.Future[None]


class PrioritySemaphore:
    """At most ``limit`` holders at a time.

    ``reserved`` places are not for low priority, so that holders with low priority never have all places.
    Among waiters of one priority, the one that has held it longest ago comes first (``held_at``, seconds of any clock;
    minus infinity: never), so that a waiter that gives up each time gets its turn in the end.
    Use it on one loop; ``waiting`` may be read from any thread.
    """

    def __init__(self, limit: int, *, reserved: int = 0) -> None:
        self._limit = limit
        self._reserved = reserved
        self._held = 0
        self._numbers = count()
        self._high: list[_Turn] = []
        self._low: list[_Turn] = []

    @property
    def waiting(self) -> int:
        """Number of waiters."""
        return len(self._high) + len(self._low)

    def try_acquire(self, *, low_priority: bool = False) -> bool:
        """Acquire it if it is free and no waiter has the same priority; True if it was acquired."""
        if self._queue_of(low_priority=low_priority) or not self._is_free(low_priority=low_priority):
            return False
        self._held += 1
        return True

    async def acquire(self, *, low_priority: bool = False, held_at: float = -math.inf) -> None:
        """Wait until it is free, and acquire it.  A call that is cancelled does not hold it."""
        queue = self._queue_of(low_priority=low_priority)
        turn = _Turn(held_at, next(self._numbers), asyncio.get_running_loop().create_future())
        insort(queue, turn)
        try:
            await turn.free
        except asyncio.CancelledError:
            if turn.free.cancelled():
                with suppress(ValueError):  # a release at the same time has removed it already
                    queue.remove(turn)
            else:
                self.release()
            raise

    def release(self) -> None:
        """Pass it on to the first waiter that may have it, or leave it free."""
        self._held -= 1
        for low_priority in (False, True):
            queue = self._queue_of(low_priority=low_priority)
            while queue and self._is_free(low_priority=low_priority):
                turn = queue.pop(0)
                if not turn.free.done():
                    self._held += 1
                    turn.free.set_result(None)
                    return

    def _queue_of(self, *, low_priority: bool) -> list[_Turn]:
        return self._low if low_priority else self._high

    def _is_free(self, *, low_priority: bool) -> bool:
        return self._held < (self._limit - self._reserved if low_priority else self._limit)
