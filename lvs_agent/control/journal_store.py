"""The journal's file in the state directory: one event a line, appended, and written anew where it has grown too big.

Blocking, for a thread of its own.  A line that cannot be read costs that line only: the file is set aside then, and a
fresh one takes over what could be read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lvs_agent.core.event_line import MAX_LINE, event_line, parse_event_line
from lvs_agent.files import MODE, replace_file
from lvs_agent.model.event import Event, EventKind

FILE_NAME = "events.jsonl"
DAMAGED_NAME = "events.damaged.jsonl"
MOST_BYTES = 8 * 1_024 * 1_024
"""The file is written anew before it has more than this, with half of it at most."""
LEAP = 10_000
"""How far the numbers leap after a process that was killed: readers may have seen some that were never written."""
_BREATH = 200
"""Lines after which others may run: it is a thread that reads and writes, but the loop must not wait for it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the journal of an earlier process ended: its last number (0: there is none), and whether in order."""

    number: int = 0
    orderly: bool = True


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a journal's file: events in the order of their lines, how many lines cannot be read, and whether
    the last one was cut short.
    """

    events: tuple[Event, ...] = ()
    damaged: int = 0
    torn: bool = False


def last_word(directory: Path, *, now: float) -> Ending:
    """How the journal in ``directory`` ends, from its last lines alone.

    If it cannot be read, the seconds since 1970 stand for its last number: they are larger.
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
    """Everything that can be read of the journal in ``directory``; nothing where there is none.  Raises OSError."""
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
    """Read the journal of an earlier process, and see that it can be appended to.  Raises OSError.

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
    """Append whole lines, and see that they are on the disk.

    Raises OSError; the file is as it was then, if anything can be done about it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(directory / FILE_NAME, flags, MODE)
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
    """Replace the content of the file with the newest of ``events``.  Raises OSError; the file is unchanged then."""
    lines: list[bytes] = []
    for line in encode(reversed(events)):
        most_bytes -= len(line)
        if most_bytes < 0:
            break
        lines.append(line)
    replace_file(directory / FILE_NAME, reversed(lines))


def size_of(directory: Path) -> int:
    """Bytes that the file has; 0 where there is none.  Raises OSError."""
    try:
        return (directory / FILE_NAME).stat().st_size
    except FileNotFoundError:
        return 0


def _breathe(number: int) -> None:
    if number % _BREATH == 0:
        time.sleep(0.001)


def _tail(path: Path, most: int) -> bytes:
    """The last lines of a file: ``most`` bytes at most, beginning with a whole line.  Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - most)
        file.seek(max(0, start - 1))
        text = file.read(most + 1)
    return text.partition(b"\n")[2] if start else text
