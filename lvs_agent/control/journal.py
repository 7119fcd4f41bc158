"""The event journal, in order: the last events of this process and of earlier ones.

If there is no room for another event, the oldest of the most frequent kind is deleted: many events of one kind do not
delete others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from lvs_agent.clock import Clock
from lvs_agent.control.journal_file import JournalFile
from lvs_agent.control.journal_store import LEAP, last_word
from lvs_agent.control.repeats import Held, Repeats
from lvs_agent.core.events import choose
from lvs_agent.model.event import KEPT, Event, EventKind, EventQuery, Fact

MOST_TEXT = 500
"""Longest text of one fact, in characters; the rest is cut."""
_SPARE = KEPT // 100
_TICK_S = 1.0


class Journal:
    """``record`` is called on the loop, ``select`` from any thread.

    ``directory``: where events are kept across restarts; None keeps them in memory only.  Events of earlier processes
    can be selected as soon as ``run`` has read them.
    """

    def __init__(self, *, clock: Clock, directory: Path | None = None) -> None:
        self._clock = clock
        self._events: dict[EventKind, deque[Event]] = {kind: deque() for kind in EventKind}
        self._count = 0
        self._last = 0
        self._repeats = Repeats(now=clock.monotonic())
        self._file: JournalFile | None = None
        if directory is not None:
            self._file = JournalFile(directory=directory, kept=self._all, merge=self._merge)
            self._go_on(directory)

    def record(
        self,
        kind: EventKind,
        /,
        *,
        virtual_service: str = "",
        real_server: str = "",
        at: float | None = None,
        **facts: Fact | None,
    ) -> None:
        """Record an event that happened at ``at`` (seconds since 1970; None: now).

        Facts that are None are left out, and long ones are cut.  Frequent repetitions are merged into one later event.
        """
        when = self._clock.now() if at is None else at
        known = {
            name: fact[:MOST_TEXT] if isinstance(fact, str) else fact
            for name, fact in facts.items()
            if fact is not None
        }
        if self._repeats.admits((kind, virtual_service, real_server), at=when, facts=known):
            self._add(kind, virtual_service, real_server, when, known)

    def select(self, query: EventQuery) -> tuple[Event, ...]:
        """The events that ``query`` asks for, oldest first."""
        return choose(self._all(query.kinds), query)

    async def run(self) -> None:
        """Record events that were held back, and write the file, until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._file is not None:
                group.create_task(self._file.run(), name="journal file")
            while True:
                await asyncio.sleep(_TICK_S)
                self._tell(self._repeats.release(now=self._clock.monotonic()))

    async def close(self, *, timeout_s: float) -> None:
        """Record events that were held back and write everything, in ``timeout_s`` seconds at most."""
        self.tell_held()
        if self._file is not None:
            await self._file.close(timeout_s=timeout_s)

    def tell_held(self) -> None:
        """Record events that were held back, before the last event of the process."""
        self._tell(self._repeats.release_all())

    def _go_on(self, directory: Path) -> None:
        """Continue the numbers of the previous process."""
        ending = last_word(directory, now=self._clock.now())
        self._last = ending.number
        if not ending.orderly:
            self._last += LEAP
            self.record(EventKind.PREVIOUS_RUN_CRASHED)

    def _add(self, kind: EventKind, service: str, server: str, at: float, facts: dict[str, Fact]) -> None:
        event = Event(number=self._last + 1, at=at, kind=kind, virtual_service=service, real_server=server, facts=facts)
        self._events[kind].append(event)
        self._last += 1
        self._count += 1
        self._make_room()
        if self._file is not None:
            self._file.put(event)

    def _make_room(self) -> None:
        """Delete the oldest events of the most frequent kind; several at once, because finding that kind takes time."""
        while self._count > KEPT:
            most = max(self._events.values(), key=len)
            for _ in range(min(_SPARE, len(most))):
                most.popleft()
                self._count -= 1

    def _tell(self, released: Sequence[Held]) -> None:
        for held in released:
            facts = dict(held.facts)
            if held.count > 1:
                facts["repeated"] = held.count - 1
            self._add(*held.subject, held.at, facts)

    def _all(self, kinds: frozenset[EventKind] | None = None) -> list[Event]:
        """The events of ``kinds`` (None: of all), oldest first.  May be called from any thread.

        Copying one deque is atomic under the interpreter's lock (to a deque: a tuple is an object for the garbage
        collector, which may let another thread run), copying several is not.  An event that is recorded
        meanwhile is left out, so that no event with a lower number is missing.
        """
        last = self._last
        copies = [self._events[kind].copy() for kind in kinds or EventKind]
        events = [event for copy in copies for event in copy if event.number <= last]
        events.sort(key=lambda event: event.number)
        return events

    def _merge(self, earlier: Mapping[EventKind, Sequence[Event]]) -> None:
        """Put the events of earlier processes before the events of this one."""
        for kind, events in earlier.items():
            self._events[kind].extendleft(reversed(events))
            self._count += len(events)
        self._make_room()
