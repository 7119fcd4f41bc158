"""Places for what may run at a time: who finds none waits for one, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress


class Places:
    """``total`` places.  ``kept`` of them are not for who is in doubt: however many those are, others find a place.

    To be used on one loop; ``waiting`` may be read from any thread.
    """

    def __init__(self, total: int, *, kept: int = 0) -> None:
        self._total = total
        self._kept = kept
        self._taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._doubtful: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue) + len(self._doubtful)

    def take_at_once(self, *, doubtful: bool = False) -> bool:
        """Take a place, where one is free and nobody waits for it; whether that was so."""
        if self._queue_of(doubtful=doubtful) or not self._is_free(doubtful=doubtful):
            return False
        self._taken += 1
        return True

    async def take_in_turn(self, *, doubtful: bool = False) -> None:
        """Wait for a place and take it.  A cancelled call has none."""
        queue = self._queue_of(doubtful=doubtful)
        place = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                with suppress(ValueError):  # passed over already, by a place that became free in the same moment
                    queue.remove(place)
            else:
                self.give_back()
            raise

    def give_back(self) -> None:
        """A place is free: to the first who waits and may have it, or to the next who comes."""
        self._taken -= 1
        for doubtful in (False, True):
            queue = self._queue_of(doubtful=doubtful)
            while queue and self._is_free(doubtful=doubtful):
                place = queue.popleft()
                if not place.done():
                    self._taken += 1
                    place.set_result(None)
                    return

    def _queue_of(self, *, doubtful: bool) -> deque[asyncio.Future[None]]:
        return self._doubtful if doubtful else self._queue

    def _is_free(self, *, doubtful: bool) -> bool:
        return self._taken < (self._total - self._kept if doubtful else self._total)
