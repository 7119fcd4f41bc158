from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lvs_agent.clock import Clock, ManualClock, SystemClock
from lvs_agent.control import journal_file
from lvs_agent.control.journal import MOST_TEXT, Journal
from lvs_agent.control.journal_store import (
    DAMAGED_NAME,
    FILE_NAME,
    LEAP,
    append,
    last_word,
    read_journal,
    take_over,
)
from lvs_agent.control.repeats import BURST, WINDOW_S, Repeats
from lvs_agent.core.event_line import event_line
from lvs_agent.model.event import KEPT, Event, EventKind, EventQuery
from tests.builders import NOW
from tests.checks.servers import until

EVERYTHING = EventQuery(limit=KEPT)
UP, DOWN, STARTED, STOPPED = (
    EventKind.SERVER_UP,
    EventKind.SERVER_DOWN,
    EventKind.AGENT_STARTED,
    EventKind.AGENT_STOPPED,
)


def numbers(journal: Journal, query: EventQuery = EVERYTHING) -> list[int]:
    """The numbers of the events that ``query`` asks for."""
    return [event.number for event in journal.select(query)]


def kinds(journal: Journal) -> list[EventKind]:
    """The kinds of all events."""
    return [event.kind for event in journal.select(EVERYTHING)]


def fill(journal: Journal, kind: EventKind, count: int) -> None:
    """Events about as many real servers."""
    for number in range(count):
        journal.record(kind, virtual_service="web", real_server=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")


def test_events_are_numbered_and_dated() -> None:
    """Each gets the next number, and the time it happened where that is given, else now; facts of None are left out."""
    journal = Journal(clock=ManualClock(now=NOW))
    journal.record(STARTED, version="1", signal=None)
    journal.record(UP, virtual_service="web", real_server="a", at=NOW - 5, detail="x" * 2 * MOST_TEXT)
    first, second = journal.select(EVERYTHING)

    assert (first.number, first.at, first.facts) == (1, NOW, {"version": "1"})
    assert (second.number, second.at, second.facts) == (2, NOW - 5, {"detail": "x" * MOST_TEXT})


def test_flood_of_one_kind_pushes_out_no_other() -> None:
    """Ten thousand servers that go down twice over leave what was rare, and the newest of what was not."""
    journal = Journal(clock=SystemClock())
    journal.record(STARTED)
    fill(journal, UP, 100)
    fill(journal, DOWN, KEPT)
    fill(journal, DOWN, KEPT)
    found = kinds(journal)

    assert KEPT * 0.98 < len(found) <= KEPT
    assert found[0] is STARTED
    assert found.count(UP) == 100
    assert numbers(journal)[-1] == 1 + 100 + 2 * KEPT


def test_what_happens_over_and_over_is_told_together() -> None:
    """Of one subject, a burst counts one by one; then the last stands for all that followed, when the window ends."""
    clock = ManualClock(now=NOW)
    journal = Journal(clock=clock)
    for _ in range(BURST + 30):
        clock.advance(1.0)
        journal.record(EventKind.TABLE_CHANGED_BY_OTHERS, virtual_service="web", kind="missing")
        journal.record(DOWN, virtual_service="web", real_server="a") if clock.now() < NOW + 3 else None
    before = kinds(journal)
    asyncio.run(journal.close(timeout_s=1.0))
    last = journal.select(EVERYTHING)[-1]

    assert before.count(EventKind.TABLE_CHANGED_BY_OTHERS) == BURST
    assert before.count(DOWN) == 2
    assert (last.kind, last.at, last.facts) == (
        EventKind.TABLE_CHANGED_BY_OTHERS,
        NOW + BURST + 30,
        {"kind": "missing", "repeated": 29},
    )


def test_held_events_are_released_when_their_window_ends() -> None:
    """Not before, then once, and a subject has its whole burst again."""
    repeats = Repeats(now=0.0)
    subject = (DOWN, "web", "a")
    admitted = [repeats.admits(subject, at=float(second), facts={}) for second in range(BURST + 2)]
    early = repeats.release(now=WINDOW_S - 1)
    (held,) = repeats.release(now=WINDOW_S)

    assert admitted == [True] * BURST + [False] * 2
    assert early == []
    assert (held.subject, held.at, held.count) == (subject, BURST + 1, 2)
    assert repeats.release(now=WINDOW_S + 1) == []
    assert repeats.admits(subject, at=0.0, facts={})


def test_release_of_a_great_many_is_spread() -> None:
    """The loop gets them in portions: none is lost, and none comes twice."""
    repeats = Repeats(now=0.0)
    for server in range(2_000):
        for _ in range(BURST + 1):
            repeats.admits((DOWN, "web", str(server)), at=0.0, facts={})
    portions = [repeats.release(now=WINDOW_S + second) for second in range(5)]

    assert [len(portion) for portion in portions] == [500, 500, 500, 500, 0]
    assert len({held.subject for portion in portions for held in portion}) == 2_000


def test_note_is_quick_enough_for_ten_thousand_at_once(tmp_path: Path) -> None:
    """A rack that dies is noted between two turns of the loop: some microseconds each, and none of them I/O."""
    journal = Journal(clock=SystemClock(), directory=tmp_path / "state")
    gc.collect()
    spent = []
    for kind in (UP, DOWN, UP):
        began = time.thread_time()
        fill(journal, kind, KEPT)
        spent.append((time.thread_time() - began) / KEPT)

    assert min(spent) < 50e-6  # it is 5; a busy machine must not fail the test
    assert not (tmp_path / "state").exists()


def test_reader_misses_no_number_while_events_come() -> None:
    """Whoever sees an event has seen all before it, so that asking on from its number misses none."""
    journal = Journal(clock=SystemClock())
    done = threading.Event()

    def write() -> None:
        for number in range(6_000):
            journal.record(list(EventKind)[number % len(EventKind)], real_server=str(number))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found = numbers(journal)
        assert found == list(range(1, len(found) + 1))
    writer.join()
    assert numbers(journal)[-1] == 6_000


# --- the file ---------------------------------------------------------------------------------------------------------


async def lived(directory: Path, *notes: Callable[[Journal], None], clock: Clock | None = None) -> Journal:
    """A journal that was run in ``directory`` until it has read what is there, then noted and was closed in order."""
    journal = Journal(clock=clock or SystemClock(), directory=directory)
    task = asyncio.create_task(journal.run())
    await asyncio.sleep(0)
    for note in notes:
        note(journal)
    file = journal._file
    await until(lambda: file is None or file._taken_over)
    task.cancel()
    await asyncio.wait([task])
    await journal.close(timeout_s=10.0)
    return journal


def started(journal: Journal) -> None:
    """Note a start."""
    journal.record(STARTED)


def stopped(journal: Journal) -> None:
    """Note an end in order."""
    journal.record(STOPPED)


def went_down(journal: Journal) -> None:
    """Note a server that went down with words that are no UTF-8."""
    journal.record(DOWN, virtual_service="web", real_server="a", at=NOW, detail="na\udcefve")


def test_journal_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Events of earlier processes come first, and the numbers go on."""
    first = asyncio.run(lived(tmp_path, started, went_down, stopped))
    second = asyncio.run(lived(tmp_path, started, stopped))

    assert numbers(second) == [1, 2, 3, 4, 5]
    assert kinds(second) == [STARTED, DOWN, STOPPED, STARTED, STOPPED]
    assert second.select(EVERYTHING)[:3] == first.select(EVERYTHING)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o640


def test_process_that_was_killed_is_missed(tmp_path: Path) -> None:
    """Without a last word, the next process says so, and leaps over numbers that readers may have seen."""
    asyncio.run(lived(tmp_path, started, went_down))
    after = asyncio.run(lived(tmp_path, started, stopped))

    assert kinds(after) == [STARTED, DOWN, EventKind.PREVIOUS_RUN_CRASHED, STARTED, STOPPED]
    assert numbers(after) == [1, 2, *range(LEAP + 3, LEAP + 6)]


def test_last_word_comes_after_what_was_held_back(tmp_path: Path) -> None:
    """An end in order is one for the next process too, however much the journal had left to tell."""

    def flap(journal: Journal) -> None:
        for _ in range(BURST + 5):
            went_down(journal)
        journal.tell_held()

    asyncio.run(lived(tmp_path, flap, stopped))
    after = asyncio.run(lived(tmp_path, started, stopped))

    assert EventKind.PREVIOUS_RUN_CRASHED not in kinds(after)
    assert [event.facts.get("repeated") for event in after.select(EVERYTHING)[BURST : BURST + 2]] == [4, None]


def test_torn_last_line_costs_that_event_only(tmp_path: Path) -> None:
    """A write that was cut short by a loss of power is cut off without a word; what follows is whole."""
    asyncio.run(lived(tmp_path, started, went_down, stopped))
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:-10])
    with capture_logs() as lines:
        after = asyncio.run(lived(tmp_path, started, stopped))

    assert kinds(after) == [STARTED, DOWN, EventKind.PREVIOUS_RUN_CRASHED, STARTED, STOPPED]
    assert read_journal(tmp_path).events == after.select(EVERYTHING)
    assert read_journal(tmp_path).damaged == 0
    assert lines == []
    assert not (tmp_path / DAMAGED_NAME).exists()


def test_damaged_file_is_set_aside_and_what_could_be_read_goes_on(tmp_path: Path) -> None:
    """Nothing that can be read is lost, nothing that cannot be is thrown away, and it is said once."""
    asyncio.run(lived(tmp_path, started, went_down, stopped))
    path = tmp_path / FILE_NAME
    one, two, three = path.read_bytes().splitlines(keepends=True)
    damaged = one + b"\x00\xff garbage\n" + two + b'{"schema":99}\n' + three
    path.write_bytes(damaged)
    with capture_logs() as lines:
        after = asyncio.run(lived(tmp_path, started, stopped))
        again = asyncio.run(lived(tmp_path, started, stopped))

    assert [(line["event"], line["lines"], line["kept"]) for line in lines] == [("events_damaged", 2, 3)]
    assert (tmp_path / DAMAGED_NAME).read_bytes() == damaged
    assert numbers(after) == [1, 2, 3, 4, 5]
    assert numbers(again) == [1, 2, 3, 4, 5, 6, 7]


def test_file_without_a_readable_line_leaves_numbers_that_are_surely_larger(tmp_path: Path) -> None:
    """Readers that remember a number get what comes, although nobody knows the last one any more."""
    (tmp_path / FILE_NAME).write_bytes(b"x" * 200_000)
    after = asyncio.run(lived(tmp_path, started, stopped, clock=ManualClock(now=NOW)))

    assert numbers(after) == [NOW + 1, NOW + 2]
    assert read_journal(tmp_path).events == after.select(EVERYTHING)


def test_disk_that_fails_is_told_once_and_costs_nothing_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events wait while they cannot be written, and are written in order when they can be."""
    state = tmp_path / "state"
    state.write_text("in the way")

    async def scenario() -> Journal:
        journal = Journal(clock=SystemClock(), directory=state)
        task = asyncio.create_task(journal.run())
        for note in (started, went_down):
            note(journal)
            await asyncio.sleep(0.1)
        assert kinds(journal) == [STARTED, DOWN]
        state.unlink()
        async with asyncio.timeout(10):
            while not read_journal(state).events:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await journal.close(timeout_s=10.0)
        return journal

    with capture_logs() as lines:
        journal = asyncio.run(scenario())

    assert read_journal(state).events == journal.select(EVERYTHING)
    assert [line["event"] for line in lines] == ["events_not_written", "events_written_again"]


def test_file_that_has_grown_is_written_anew_with_what_is_kept(tmp_path: Path) -> None:
    """It stays under its bound, with the newest events in it, each once."""
    journal = Journal(clock=SystemClock())

    async def scenario() -> None:
        file = journal_file.JournalFile(
            directory=tmp_path,
            kept=lambda: journal.select(EVERYTHING),
            merge=lambda _: None,
            batch_s=0.001,
            most_bytes=20_000,
        )
        task = asyncio.create_task(file.run())
        for batch in range(100):
            for number in range(10):
                journal.record(EventKind.OPERATION_APPLIED, virtual_service="web", real_server=f"{batch}.{number}")
            for event in journal.select(EventQuery(after=10 * batch)):
                file.put(event)
            await asyncio.sleep(0.002)
            assert not (tmp_path / FILE_NAME).exists() or (tmp_path / FILE_NAME).stat().st_size <= 20_000
        task.cancel()
        await asyncio.wait([task])
        await file.close(timeout_s=10.0)

    asyncio.run(scenario())
    written = [event.number for event in read_journal(tmp_path).events]

    assert written[-1] == 1_000
    assert written == list(range(written[0], 1_001))
    assert len(written) > 50


def test_journal_without_a_place_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the agent only observes, events live as long as the process."""
    monkeypatch.chdir(tmp_path)

    async def scenario() -> None:
        journal = Journal(clock=SystemClock())
        task = asyncio.create_task(journal.run())
        started(journal)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        await journal.close(timeout_s=1.0)

    asyncio.run(scenario())

    assert list(tmp_path.iterdir()) == []


_FULL = """
import resource, sys
from pathlib import Path
from lvs_agent.control.journal_store import FILE_NAME, append

place = Path(sys.argv[1])
append(place, b"x" * 999 + b"\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, 1_500))
try:
    append(place, b"y" * 999 + b"\\n")
except OSError as problem:
    print(problem.strerror, (place / FILE_NAME).stat().st_size)
"""


def test_write_that_ends_half_way_leaves_no_half_line(tmp_path: Path) -> None:
    """Where there is room for a part only, the file is as it was: the next attempt follows no torn line."""
    ended = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout == "File too large 1000\n"


LINES = [
    event_line(Event(number=number, at=NOW, kind=kind)) for number, kind in enumerate([STARTED, DOWN, UP, STOPPED], 1)
]


@given(
    st.lists(st.sampled_from(LINES) | st.binary(max_size=30).map(lambda junk: junk.replace(b"\n", b"") + b"\n")),
    st.binary(max_size=10).map(lambda rest: rest.replace(b"\n", b"")),
)
def test_damage_costs_the_damaged_lines_only(lines: list[bytes], rest: bytes) -> None:
    """Whatever stands between them, every whole line is read, stays in the file, and the file is whole afterwards."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        (directory / FILE_NAME).write_bytes(b"".join(lines) + rest)
        last_word(directory, now=NOW)
        taken = take_over(directory)
        append(directory, LINES[0])
        again = read_journal(directory)

    assert [event_line(event) for event in taken.events] == [line for line in lines if line in LINES]
    assert again.events[:-1] == taken.events
    assert (again.damaged, again.torn) == (0, False)
