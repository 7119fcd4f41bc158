"""Signs of life: notes that the loop runs, and notifies the service manager's watchdog while rounds run too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lvs_agent.clock import Clock

BEAT_S = 1.0


class Heart:
    """``makes_progress(now)`` says whether the reconcile loop works, ``feed`` notifies the watchdog.

    ``watchdog_s``: seconds between two notifications that the watchdog expects; None without a watchdog.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        makes_progress: Callable[[float], bool],
        feed: Callable[[], object],
        watchdog_s: float | None,
    ) -> None:
        self._clock = clock
        self._makes_progress = makes_progress
        self._feed = feed
        self._watchdog_s = watchdog_s
        self._beat_at = clock.monotonic()

    @property
    def age_s(self) -> float:
        """Seconds since the last beat; may be read from any thread."""
        return max(0.0, self._clock.monotonic() - self._beat_at)

    async def run(self) -> None:
        """Beat until cancelled."""
        limit_s = self._watchdog_s
        fed_at = self._clock.monotonic()
        while True:
            self._beat_at = now = self._clock.monotonic()
            if limit_s is not None and now - fed_at >= limit_s - BEAT_S and self._makes_progress(now):
                self._feed()
                fed_at = now
            await asyncio.sleep(BEAT_S if limit_s is None else min(BEAT_S, limit_s / 2))
