"""Writes the journal down in a thread of its own, about twice a second where there is something to write.

A disk that is full, missing or hanging costs no event that could be read before, and none that comes while it is not
longer than ``KEPT`` events: they wait, and are written when that is possible again.
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
"""Seconds between two writings: what a process that is killed may lose."""


class JournalFile:
    """Every method is called on the loop.

    ``kept()`` gives all events that are to stay, oldest first; it is called in the thread.  ``merge`` is given what
    earlier processes have left.  ``most_bytes``: when the file is written anew.
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
        """Have ``event`` written."""
        if len(self._waiting) == KEPT:
            self._dropped += 1
        self._waiting.append(event)

    async def run(self) -> None:
        """Take over what earlier processes have left, then write from time to time, until cancelled."""
        while True:
            await self._work()
            await asyncio.sleep(self._batch_s)

    async def close(self, *, timeout_s: float) -> None:
        """Write what waits, but wait no longer than ``timeout_s`` for it, and end."""
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
        """What is in the file, and what of it is kept.  Runs in the thread."""
        content = take_over(self._directory)
        return content, thin_out(content.events, most=KEPT)

    async def _write(self) -> None:
        """Write everything that waits; what cannot be written waits on."""
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
        """Append what waits, or write the file anew where it would grow too big.  Runs in the thread.

        Raises OSError; nothing counts as written then.
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
        consequence=f"set aside as {DAMAGED_NAME}; what could be read goes on",
    )
