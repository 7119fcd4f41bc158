"""Keeps repeated events from filling the journal: another program that changes the table, a server that flaps.

The first ``BURST`` events of one kind about one subject in ``WINDOW_S`` seconds are recorded.  Further ones are held
back until the window ends; then only the last of them is recorded, with their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lvs_agent.model.event import EventKind, Fact

BURST = 20
WINDOW_S = 600.0
AT_ONCE = 500
"""Most events that are released at one time, so that the loop is not blocked."""

Subject = tuple[EventKind, str, str]
"""A kind, a virtual service and a real server."""


@dataclass(slots=True)
class Held:
    """The last event of a subject that was held back, and the number of events that it stands for."""

    subject: Subject
    at: float
    facts: Mapping[str, Fact]
    count: int = 0


class Repeats:
    """Decides which events are recorded at once.  ``now`` is monotonic seconds, at first the time of the start."""

    def __init__(self, *, now: float) -> None:
        self._began = now
        self._counts: dict[Subject, int] = {}
        self._held: dict[Subject, Held] = {}
        self._due: list[Held] = []

    def admits(self, subject: Subject, *, at: float, facts: Mapping[str, Fact]) -> bool:
        """Whether an event is recorded at once; otherwise it is held back."""
        count = self._counts[subject] = self._counts.get(subject, 0) + 1
        if count <= BURST:
            return True
        held = self._held.get(subject)
        if held is None:
            held = self._held[subject] = Held(subject, at, facts)
        held.at, held.facts, held.count = at, facts, held.count + 1
        return False

    def release(self, *, now: float) -> list[Held]:
        """Events whose window has ended, oldest first, ``AT_ONCE`` at most; the next call returns further ones."""
        if now - self._began >= WINDOW_S:
            self._began = now
            self._counts.clear()
            self._end_window()
        released, self._due = self._due[:AT_ONCE], self._due[AT_ONCE:]
        return released

    def release_all(self) -> list[Held]:
        """All events that are still held back."""
        self._end_window()
        released, self._due = self._due, []
        return released

    def _end_window(self) -> None:
        self._due += sorted(self._held.values(), key=lambda held: held.at)
        self._held.clear()
