"""Keeps what happens over and over from filling the journal: a program that fights for the table, a server that flaps.

Of one kind about one subject, ``BURST`` events in ``WINDOW_S`` seconds count each for itself.  Those that follow are
held back until the window ends; the last of them stands for all then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lvs_agent.model.event import EventKind, Fact

BURST = 20
WINDOW_S = 600.0
AT_ONCE = 500
"""How many may be released at one time: the loop has other things to do."""

Subject = tuple[EventKind, str, str]
"""A kind, a virtual service and a real server."""


@dataclass(slots=True)
class Held:
    """The last event that was held back of a subject, and how many it stands for."""

    subject: Subject
    at: float
    facts: Mapping[str, Fact]
    count: int = 0


class Repeats:
    """``now`` is monotonic seconds, the first of them that of the start."""

    def __init__(self, *, now: float) -> None:
        self._began = now
        self._counts: dict[Subject, int] = {}
        self._held: dict[Subject, Held] = {}
        self._due: list[Held] = []

    def admits(self, subject: Subject, *, at: float, facts: Mapping[str, Fact]) -> bool:
        """Whether an event counts for itself; it is held back where it does not."""
        count = self._counts[subject] = self._counts.get(subject, 0) + 1
        if count <= BURST:
            return True
        held = self._held.get(subject)
        if held is None:
            held = self._held[subject] = Held(subject, at, facts)
        held.at, held.facts, held.count = at, facts, held.count + 1
        return False

    def release(self, *, now: float) -> list[Held]:
        """What has been held back long enough, the oldest first; the rest of a great many comes with the next call."""
        if now - self._began >= WINDOW_S:
            self._began = now
            self._counts.clear()
            self._end_window()
        released, self._due = self._due[:AT_ONCE], self._due[AT_ONCE:]
        return released

    def release_all(self) -> list[Held]:
        """Everything that is held back still."""
        self._end_window()
        released, self._due = self._due, []
        return released

    def _end_window(self) -> None:
        self._due += sorted(self._held.values(), key=lambda held: held.at)
        self._held.clear()
