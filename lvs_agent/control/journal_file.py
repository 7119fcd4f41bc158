"""Writes the journal to its file in a separate thread, about twice a second if there are new events.

A disk that is full, missing or hanging does not lose events: up to ``KEPT`` of them wait in memory, and are written as
soon as that is possible again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lvs_agent.control.journal_store import (
    DAMAGED_NAME,
    FILE_NAME,
    MOST_BYTES,
    Content,
    append,
    encode,
    rewrite,
    size_of,
    take_over,
)
from lvs_agent.control.side_thread import SideThread
from lvs_agent.core.events import thin_out
from lvs_agent.log import get_logger
from lvs_agent.model.event import KEPT, Event, EventKind

log = get_logger()

BATCH_S = 0.5
"""Seconds between two writes.  A process that is killed may lose the events of this time."""


class JournalFile:
    """Every method is called on the loop.

    ``kept()`` returns all events to keep, oldest first; it is called in the thread.  ``merge`` gets the events of
    earlier processes.  ``most_bytes``: size at which the file is written anew.
    """

    def __init__(
        self,
        *,
        directory: Path,
        kept: Callable[[], Sequence[Event]],
        merge: Callable[[Mapping[EventKind, Sequence[Event]]], None],
        batch_s: float = BATCH_S,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._directory = directory
        self._kept = kept
        self._merge = merge
        self._batch_s = batch_s
        self._most_bytes = most_bytes
        self._waiting: deque[Event] = deque(maxlen=KEPT)
        self._taken_over = False
        self._failing = False
        self._dropped = 0
        self._written = 0
        self._thread = SideThread(name="journal")

    def put(self, event: Event) -> None:
        """Write ``event`` with the next batch."""
        if len(self._waiting) == KEPT:
            self._dropped += 1
        self._waiting.append(event)

    async def run(self) -> None:
        """Take over the file of earlier processes, then write each ``BATCH_S``, until cancelled."""
        while True:
            await self._work()
            await asyncio.sleep(self._batch_s)

    async def close(self, *, timeout_s: float) -> None:
        """Write the events that wait, in ``timeout_s`` seconds at most, and end the thread."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._work()
        except TimeoutError:
            log.warning("events_cut_short", limit_s=timeout_s, events=len(self._waiting))
        self._thread.close()

    async def _work(self) -> None:
        try:
            if not self._taken_over:
                await self._take_over()
            if self._waiting:
                await self._write()
        except OSError as problem:
            self._complain(problem)

    async def _take_over(self) -> None:
        content, kept = await self._thread.call(self._read)
        self._taken_over = True
        self._merge(kept)
        if content.damaged:
            _tell_of_damage(content, self._directory)

    def _read(self) -> tuple[Content, Mapping[EventKind, Sequence[Event]]]:
        """The content of the file, and the events in it that are kept.  Runs in the thread."""
        content = take_over(self._directory)
        return content, thin_out(content.events, most=KEPT)

    async def _write(self) -> None:
        """Write all events that wait.  Those that cannot be written keep waiting."""
        self._forget_written()
        if not self._waiting:
            return
        await self._thread.call(self._write_batch)
        if self._failing:
            log.info("events_written_again", directory=self._directory, lost=self._dropped)
        self._failing, self._dropped = False, 0

    def _forget_written(self) -> None:
        while self._waiting and self._waiting[0].number <= self._written:
            self._waiting.popleft()

    def _write_batch(self) -> None:
        """Append the events that wait, or write the file anew if it would grow too large.  Runs in the thread.

        Raises OSError; then no event counts as written.
        """
        batch = tuple(self._waiting)
        last = batch[-1].number
        text = b"".join(encode(event for event in batch if event.number > self._written))
        if size_of(self._directory) + len(text) <= self._most_bytes:
            append(self._directory, text)
        else:
            kept = [event for event in self._kept() if event.number <= last]
            rewrite(self._directory, kept, most_bytes=self._most_bytes // 2)
        self._written = last

    def _complain(self, problem: OSError) -> None:
        if not self._failing:
            log.warning(
                "events_not_written",
                directory=self._directory,
                error=problem,
                consequence="events are kept in memory only",
                remedy="set agent.state_dir",
            )
        self._failing = True


def _tell_of_damage(content: Content, directory: Path) -> None:
    log.warning(
        "events_damaged",
        path=directory / FILE_NAME,
        lines=content.damaged,
        kept=len(content.events),
        consequence=f"the file was renamed to {DAMAGED_NAME}; events that could be read are kept",
    )
