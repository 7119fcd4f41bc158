"""The interface to the time: all code gets the time from a ``Clock``, so that tests can control it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two times that the program needs, both in seconds."""

    def now(self) -> float:
        """Wall time since 1970, for what people and Prometheus read."""

    def monotonic(self) -> float:
        """Time that never jumps, for schedules and durations.  Its zero is arbitrary."""


class SystemClock:
    """The machine's clock."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class ManualClock:
    """A clock that stands still until ``advance`` is called; for tests and simulations."""

    def __init__(self, *, now: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._now = now
        self._monotonic = monotonic

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both times forward by ``seconds`` (>= 0)."""
        self._now += seconds
        self._monotonic += seconds
