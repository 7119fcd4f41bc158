"""The journal's file in the state directory: one line for each event, appended; written anew when it is too large.

All functions block, so they run in a separate thread.  If a line cannot be read, only that line is lost: the file is
renamed, and a new one gets all events that could be read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lvs_agent.core.event_line import MAX_LINE, event_line, parse_event_line
from lvs_agent.files import open_own, replace_file
from lvs_agent.model.event import Event, EventKind

FILE_NAME = "events.jsonl"
DAMAGED_NAME = "events.damaged.jsonl"
MOST_BYTES = 8 * 1_024 * 1_024
"""Largest size of the file in bytes.  It is written anew before it is larger, with half of this size at most."""
LEAP = 10_000
"""Gap in the numbers after a process that was killed: readers may have seen events that were never written."""
_BREATH = 200
"""Lines after which this thread lets the others run, so that the loop does not wait for it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the journal of an earlier process ended: its last number (0: no events), and whether it stopped in order."""

    number: int = 0
    orderly: bool = True


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a journal's file.

    It has the events in the order of their lines, the number of lines that cannot be read, and whether the last line is
    incomplete.
    """

    events: tuple[Event, ...] = ()
    damaged: int = 0
    torn: bool = False


def last_word(directory: Path, *, now: float) -> Ending:
    """How the journal in ``directory`` ended; reads its last lines only.

    If it cannot be read, its last number is the seconds since 1970, which are larger than any number in it.
    """
    try:
        if not size_of(directory):
            return Ending()
        tail = _tail(directory / FILE_NAME, MAX_LINE)
    except OSError:
        return Ending(int(now))
    for line in reversed(tail.split(b"\n")):
        with suppress(ValueError):
            event = parse_event_line(line)
            return Ending(event.number, orderly=event.kind is EventKind.AGENT_STOPPED)
    return Ending(int(now))


def read_journal(directory: Path) -> Content:
    """All readable events of the journal in ``directory``; empty if there is no journal.  Raises OSError."""
    try:
        text = _tail(directory / FILE_NAME, 2 * MOST_BYTES)
    except FileNotFoundError:
        return Content()
    *lines, rest = text.split(b"\n")
    events: list[Event] = []
    for number, line in enumerate(lines, 1):
        _breathe(number)
        with suppress(ValueError):
            events.append(parse_event_line(line))
    damaged = len(lines) - len(events)
    with suppress(ValueError):
        events.append(parse_event_line(rest))
    return Content(tuple(events), damaged=damaged, torn=bool(rest))


def take_over(directory: Path) -> Content:
    """Read the journal of an earlier process, and repair the file so that events can be appended.  Raises OSError.

    A damaged file is renamed, and replaces one that was renamed before.
    """
    content = read_journal(directory)
    path = directory / FILE_NAME
    if content.damaged:
        path.replace(directory / DAMAGED_NAME)
    if content.damaged or content.torn:
        replace_file(path, encode(content.events))
    return content


def encode(events: Iterable[Event]) -> Iterator[bytes]:
    """The lines of ``events``."""
    for number, event in enumerate(events, 1):
        yield event_line(event)
        _breathe(number)


def append(directory: Path, text: bytes) -> None:
    """Append whole lines, and sync them to the disk.

    Raises OSError; the file is then restored to its previous size, if possible.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = open_own(directory / FILE_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        left = memoryview(text)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def rewrite(directory: Path, events: Sequence[Event], *, most_bytes: int) -> None:
    """Replace the content of the file with the newest of ``events``.  Raises OSError; then the file is unchanged."""
    lines: list[bytes] = []
    for line in encode(reversed(events)):
        most_bytes -= len(line)
        if most_bytes < 0:
            break
        lines.append(line)
    replace_file(directory / FILE_NAME, reversed(lines))


def size_of(directory: Path) -> int:
    """Size of the file in bytes; 0 if there is none.  Raises OSError."""
    try:
        return (directory / FILE_NAME).stat().st_size
    except FileNotFoundError:
        return 0


def _breathe(number: int) -> None:
    if number % _BREATH == 0:
        time.sleep(0.001)


def _tail(path: Path, most: int) -> bytes:
    """The last lines of a file: ``most`` bytes at most, beginning with a whole line.  Raises OSError."""
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - most)
        file.seek(max(0, start - 1))
        text = file.read(most + 1)
    return text.partition(b"\n")[2] if start else text
