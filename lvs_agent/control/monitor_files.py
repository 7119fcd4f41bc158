"""Writes monitor files: lines are collected on the loop, and written about once a second in a separate thread.

A file is opened for each batch, so that it may be rotated at any time.  A disk that is full, missing or hanging loses
lines, but never delays a check: the number of waiting lines is limited, and the oldest are dropped first.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from lvs_agent.control.side_thread import SideThread
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.log import get_logger
from lvs_agent.model.check import CheckReport, CheckSpec
from lvs_agent.model.intent import RealServer, VirtualService

log = get_logger()

BATCH_S = 1.0
"""Seconds between two batches."""
MOST_LINES = 20_000
"""Most lines that may wait, for all files together."""
_MODE = 0o644
# A pipe without a reader must not block, and a terminal must not become the controlling terminal.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class MonitorLine(Protocol):
    """Makes the line of a monitor file from a report, without its line end; None if the report has no line."""

    def __call__(
        self, report: CheckReport, spec: CheckSpec, *, service: VirtualService, server: RealServer, in_maintenance: bool
    ) -> str | None: ...


class MonitorFiles:
    """Every method is called on the loop; the counts may be read from any thread.

    ``line`` makes the lines; None writes no lines.  ``dropped``: lines that were lost because too many waited;
    ``lost``: batches of a file that could not be written.  ``batch_s``: seconds between two batches.  ``most_lines``:
    most lines that may wait.
    """

    def __init__(self, line: MonitorLine | None, *, batch_s: float = BATCH_S, most_lines: int = MOST_LINES) -> None:
        self.dropped = 0
        self.lost = 0
        self._line = line
        self._batch_s = batch_s
        self._waiting: deque[tuple[str, str]] = deque(maxlen=most_lines)
        self._thread = SideThread(name="monitor-files")
        self._failing: set[str] = set()
        self._drops = False
        self._noted_no_lines = False

    def write(self, path: str, line: str) -> None:
        """Append ``line`` to the file at ``path`` with the next batch."""
        if len(self._waiting) == self._waiting.maxlen:
            self._note_drop()
        self._waiting.append((path, line))

    def take(
        self,
        report: CheckReport,
        spec: CheckSpec,
        *,
        users: Iterable[tuple[VirtualService, RealServer]],
        in_maintenance: AbstractSet[ServerKey],
    ) -> None:
        """Write a line about ``report`` for each of ``users`` whose service has a monitor file."""
        if self._line is None:
            self._note_no_lines()
            return
        for service, server in users:
            if service.monitor_file is None:
                continue
            resting = (service.service.key, server.key) in in_maintenance
            line = self._line(report, spec, service=service, server=server, in_maintenance=resting)
            if line is not None:
                self.write(service.monitor_file, line)

    async def run(self) -> None:
        """Write a batch each ``batch_s``, until cancelled."""
        while True:
            await asyncio.sleep(self._batch_s)
            await self._write_waiting()

    async def close(self, *, timeout_s: float) -> None:
        """Write the lines that wait, in ``timeout_s`` seconds at most, and end the thread."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._write_waiting()
        except TimeoutError:
            log.warning("monitor_files_cut_short", limit_s=timeout_s, lines=len(self._waiting))
        self._thread.close()

    async def _write_waiting(self) -> None:
        if not self._waiting:
            return
        ended = await self._thread.call(self._write_batch)
        failures = {path: problem for path, problem in ended.items() if problem is not None}
        for path in failures.keys() - self._failing:
            log.error("monitor_file_not_written", path=path, error=failures[path], consequence="its lines are lost")
        self._failing = (self._failing - ended.keys()) | failures.keys()
        self.lost += len(failures)
        self._drops = False

    def _write_batch(self) -> Mapping[str, Exception | None]:
        """Append all waiting lines, and return the error (or None) of each file.  Runs in the thread."""
        batch: dict[str, list[str]] = {}
        for _ in range(len(self._waiting)):
            path, line = self._waiting.popleft()
            batch.setdefault(path, []).append(f"{line}\n")
        return {path: _append(path, "".join(lines)) for path, lines in batch.items()}

    def _note_no_lines(self) -> None:
        if not self._noted_no_lines:
            log.error(
                "monitor_files_not_written",
                error="this installation of lvs-agent has no package lvs_agent.ldirectord",
                consequence="monitor_file has no effect",
            )
        self._noted_no_lines = True

    def _note_drop(self) -> None:
        self.dropped += 1
        if not self._drops:
            log.error("monitor_lines_dropped", waiting=len(self._waiting), consequence="the oldest lines are lost")
        self._drops = True


def _append(path: str, text: str) -> Exception | None:
    """Append ``text`` to the file at ``path``, which is created if it does not exist; the error, or None."""
    try:
        descriptor = os.open(path, _FLAGS, _MODE)
        try:
            left = memoryview(text.encode("utf-8", "replace"))
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as problem:  # ValueError: a path that cannot be one
        return problem
    return None
