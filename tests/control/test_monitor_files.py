from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lvs_agent.control.monitor_files import MonitorFiles
from lvs_agent.model.check import CheckReport, CheckResult, CheckSpec, Errored, ErrorReason, Passed
from lvs_agent.model.intent import RealServer, VirtualService
from tests.builders import check_spec, real_server, report, virtual_service
from tests.checks.servers import until


@asynccontextmanager
async def at_work(files: MonitorFiles) -> AsyncIterator[None]:
    """The root task at work; closed in order at the end."""
    task = asyncio.create_task(files.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        await files.close(timeout_s=5.0)
    assert task.cancelled()


def test_lines_are_appended_in_order_each_to_its_file(tmp_path: Path) -> None:
    """What was there stays, a file that was not there is made, and closing writes the rest."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("before\n")

    async def scenario() -> None:
        files = MonitorFiles(_line, batch_s=0.02)
        async with at_work(files):
            files.write(str(one), "a")
            files.write(str(two), "ünïcode")
            files.write(str(one), "b")
            await until(lambda: one.read_text() == "before\na\nb\n")
            files.write(str(one), "c")
        assert (files.dropped, files.lost) == (0, 0)

    asyncio.run(scenario())
    assert one.read_text() == "before\na\nb\nc\n"
    assert two.read_text() == "ünïcode\n"
    assert stat.S_IMODE(two.stat().st_mode) == 0o644


def test_file_may_be_rotated_at_any_time(tmp_path: Path) -> None:
    """A file that was moved away is made anew by the next line."""
    path, rotated = tmp_path / "monitor", tmp_path / "monitor.1"

    async def scenario() -> None:
        files = MonitorFiles(_line, batch_s=0.02)
        async with at_work(files):
            files.write(str(path), "old")
            await until(path.exists)
            await until(lambda: path.read_text() == "old\n")
            path.rename(rotated)
            files.write(str(path), "new")

    asyncio.run(scenario())
    assert (rotated.read_text(), path.read_text()) == ("old\n", "new\n")


def test_file_that_cannot_be_written_is_said_once_and_costs_the_others_nothing(tmp_path: Path) -> None:
    """One line in the log until it works again; a path that cannot be one at all ends nothing either."""
    bad, good = tmp_path / "missing" / "monitor", tmp_path / "good"

    async def scenario() -> None:
        files = MonitorFiles(_line, batch_s=0.01)
        async with at_work(files):
            for number in range(5):
                for path in (str(bad), "nul\0byte", str(good)):
                    files.write(path, str(number))
                await until(partial(_ends_with, good, f"{number}\n"))
            bad.parent.mkdir()
            files.write(str(bad), "works")
            await until(lambda: bad.exists() and str(bad) not in files._failing)
            bad.unlink()
            bad.parent.rmdir()
            files.write(str(bad), "lost")
        assert files.lost == 11

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert good.read_text() == "0\n1\n2\n3\n4\n"
    assert [line["event"] for line in lines] == ["monitor_file_not_written"] * 3
    assert sorted(line["path"] for line in lines) == sorted([str(bad), str(bad), "nul\0byte"])


def _ends_with(path: Path, text: str) -> bool:
    return path.exists() and path.read_text().endswith(text)


def test_full_disk_ends_nothing() -> None:
    """A monitor file that could not be written was the end of ldirectord; here it is a line in the log."""

    async def scenario() -> None:
        files = MonitorFiles(_line, batch_s=0.01)
        async with at_work(files):
            files.write("/dev/full", "line")
            await until(lambda: files.lost)

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert [(line["event"], line["path"]) for line in lines] == [("monitor_file_not_written", "/dev/full")]


def test_pipe_that_nobody_reads_holds_up_nothing(tmp_path: Path) -> None:
    """A named pipe is written where somebody reads it, and otherwise is a file that cannot be written."""
    pipe, good = tmp_path / "pipe", tmp_path / "good"
    os.mkfifo(pipe)

    async def scenario() -> None:
        files = MonitorFiles(_line, batch_s=0.01)
        async with at_work(files):
            files.write(str(pipe), "lost")
            files.write(str(good), "written")
            await until(good.exists)

    asyncio.run(scenario())
    assert good.read_text() == "written\n"


def test_disk_that_hangs_loses_the_oldest_lines_and_holds_up_nothing(tmp_path: Path) -> None:
    """What waits is bounded and counted, closing gives up at its limit, and the log says both once."""
    end = threading.Event()
    path = str(tmp_path / "monitor")

    async def scenario() -> MonitorFiles:
        files = MonitorFiles(_line, batch_s=0.01, most_lines=3)
        hanging = asyncio.create_task(files._thread.call(end.wait))
        task = asyncio.create_task(files.run())
        for number in range(5):
            files.write(path, str(number))
            await asyncio.sleep(0.02)
        assert files.dropped == 2
        task.cancel()
        await asyncio.wait({task})
        await files.close(timeout_s=0.05)
        end.set()
        await hanging
        return files

    with capture_logs() as lines:
        files = asyncio.run(scenario())
    assert [line["event"] for line in lines] == ["monitor_lines_dropped", "monitor_files_cut_short"]
    assert list(files._waiting) == [(path, "2"), (path, "3"), (path, "4")]


def _line(
    report: CheckReport, spec: CheckSpec, *, service: VirtualService, server: RealServer, in_maintenance: bool
) -> str | None:
    if isinstance(report.result, Errored):
        return None
    return f"{spec.kind} {service.name} {server.name} {'resting' if in_maintenance else 'at work'}"


@pytest.mark.parametrize(
    ("result", "resting", "lines"),
    [
        pytest.param(Passed("status 200"), False, ["http web 10.0.0.1:80 at work"], id="passed"),
        pytest.param(Passed("status 200"), True, ["http web 10.0.0.1:80 resting"], id="in maintenance"),
        pytest.param(Errored(ErrorReason.LATE, "our loop was late"), False, [], id="without a line"),
    ],
)
def test_report_is_a_line_for_each_user_with_a_file(
    *, tmp_path: Path, result: CheckResult, resting: bool, lines: list[str]
) -> None:
    """Services without a monitor file get none."""
    path = tmp_path / "monitor"
    server = real_server()
    quiet = virtual_service()
    loud = replace(quiet, name="web", monitor_file=str(path))

    async def scenario() -> None:
        files = MonitorFiles(_line)
        files.take(
            report(result=result),
            check_spec(),
            users=[(quiet, server), (loud, server)],
            in_maintenance={(loud.service.key, server.key)} if resting else frozenset(),
        )
        await files.close(timeout_s=5.0)

    asyncio.run(scenario())
    assert (path.read_text().splitlines() if path.exists() else []) == lines


def test_files_that_nobody_makes_lines_for_are_reported_once(tmp_path: Path) -> None:
    """An installation without ldirectord's lines says so, and writes nothing."""
    path = tmp_path / "monitor"
    loud = replace(virtual_service(), monitor_file=str(path))

    async def scenario() -> None:
        files = MonitorFiles(None)
        for _ in range(3):
            files.take(report(), check_spec(), users=[(loud, real_server())], in_maintenance=frozenset())
        await files.close(timeout_s=5.0)

    with capture_logs() as logged:
        asyncio.run(scenario())
    assert [line["event"] for line in logged] == ["monitor_files_not_written"]
    assert not path.exists()
