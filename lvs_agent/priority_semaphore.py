"""A semaphore with two priorities: first come, first served, and high priority before low."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress


class PrioritySemaphore:
    """At most ``limit`` holders at a time.  ``reserved`` of them are not for low priority: however many waiters of low
    priority there are, others get their turn.

    To be used on one loop; ``waiting`` may be read from any thread.
    """

    def __init__(self, limit: int, *, reserved: int = 0) -> None:
        self._limit = limit
        self._reserved = reserved
        self._held = 0
        self._high: deque[asyncio.Future[None]] = deque()
        self._low: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many waiters there are."""
        return len(self._high) + len(self._low)

    def try_acquire(self, *, low_priority: bool = False) -> bool:
        """Acquire it if that is possible at once and no earlier waiter has the same priority; whether it was."""
        if self._queue_of(low_priority=low_priority) or not self._is_free(low_priority=low_priority):
            return False
        self._held += 1
        return True

    async def acquire(self, *, low_priority: bool = False) -> None:
        """Wait until it is free, and acquire it.  A call that is cancelled does not hold it."""
        queue = self._queue_of(low_priority=low_priority)
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # passed over already, by a release in the same moment
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
                turn = queue.popleft()
                if not turn.done():
                    self._held += 1
                    turn.set_result(None)
                    return

    def _queue_of(self, *, low_priority: bool) -> deque[asyncio.Future[None]]:
        return self._low if low_priority else self._high

    def _is_free(self, *, low_priority: bool) -> bool:
        return self._held < (self._limit - self._reserved if low_priority else self._limit)
