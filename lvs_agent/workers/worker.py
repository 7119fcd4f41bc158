"""The process that runs a part of the checks.  It has no privileges, and whatever a server sends arrives here alone.

The starter forks it and the agent at the other end of its socket tells it which checks to run; when that end is closed,
the process ends.  It says every second that its loop turns.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import cast

import uvloop

from lvs_agent.checks.engine import libraries
from lvs_agent.checks.engine.engine import Engine
from lvs_agent.checks.net.lent_files import lend
from lvs_agent.checks.net.pinger import Pinger
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.checks.net.threads import Threads
from lvs_agent.clock import SystemClock
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec
from lvs_agent.workers.protocol import (
    Answer,
    Beat,
    Down,
    Frames,
    NotUnderstood,
    Pong,
    Results,
    Row,
    Said,
    Silent,
    Started,
    Work,
    batches,
    encode,
    row_of,
    understood,
)
from lvs_agent.workers.remote_commands import RemoteCommands

BEAT_S = 1.0
KEPT = 65_536
"""Most results that wait while the agent does not read; then the oldest are lost."""
_DOWN_LIMIT = 1 << 31
"""Most bytes of a message of the agent, which sends large configurations in parts."""


def run(channel: socket.socket, *, thread_concurrency: int, pinger: Pinger) -> None:
    """Run checks until the agent closes its end of ``channel``."""
    uvloop.run(_run(channel, thread_concurrency=thread_concurrency, pinger=pinger))


async def _run(channel: socket.socket, *, thread_concurrency: int, pinger: Pinger) -> None:
    worker = Worker(thread_concurrency=thread_concurrency, pinger=pinger)
    await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=channel)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.engine.run())
        group.create_task(worker.obey())
        group.create_task(worker.beat())
        group.create_task(worker.commands.watch())


class Worker(asyncio.Protocol):
    """The engine of this process, and the agent at the other end."""

    def __init__(self, *, thread_concurrency: int, pinger: Pinger) -> None:
        self.commands = RemoteCommands(number_of=self._number_of, say=self._say)
        resources = ProbeResources(
            threads=Threads(concurrency=thread_concurrency), commands=self.commands, pinger=pinger
        )
        self.engine = Engine(clock=SystemClock(), report=self._report, resources=resources)
        self._orders: asyncio.Queue[bytes] = asyncio.Queue()
        self._frames = Frames(limit=_DOWN_LIMIT)
        self._transport: asyncio.WriteTransport | None = None
        self._is_paused = False
        self._waiting: deque[Row] = deque(maxlen=KEPT)
        self._specs: dict[int, CheckSpec] = {}
        self._numbers: dict[CheckId, int] = {}
        self._fresh: list[tuple[int, CheckSpec, bool]] = []
        self._gone: list[int] = []

    # --- the agent's end ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has the socket."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """The agent has sent something."""
        try:
            for message in self._frames.feed(data):
                self._orders.put_nowait(message)
        except NotUnderstood:
            self.connection_lost(None)

    def connection_lost(self, _problem: Exception | None) -> None:
        """The agent has ended, or wants this process to end: no probe is worth waiting for."""
        os._exit(0)

    def pause_writing(self) -> None:
        """The agent does not read: keep the results."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The agent reads again."""
        self._is_paused = False
        self._send_waiting()

    def _say(self, message: Said) -> None:
        if self._transport is not None:
            self._transport.write(encode(message))

    # --- results and beats ----------------------------------------------------------------------------------------

    def _report(self, reports: Sequence[CheckReport]) -> None:
        numbers = self._numbers
        rows = [row_of(numbers[report.check], report) for report in reports if report.check in numbers]
        if self._is_paused:
            self._waiting += rows
            return
        for batch in batches(rows):
            self._say(Results(batch))

    def _send_waiting(self) -> None:
        rows = list(self._waiting)
        self._waiting.clear()
        for batch in batches(rows):
            self._say(Results(batch))

    async def beat(self) -> None:
        """Say again and again that the loop turns."""
        while True:
            load = self.engine.load
            if not self._is_paused:
                self._say(Beat(load.in_flight, load.pending, load.threads, load.threads_queued, load.thread_oldest_s))
            await asyncio.sleep(BEAT_S)

    # --- orders ---------------------------------------------------------------------------------------------------

    async def obey(self) -> None:
        """Carry out what the agent sends, in order."""
        while True:
            match understood(await self._orders.get()):
                case Work() as work:
                    await self._take(work)
                case Down(number, down):
                    if (spec := self._specs.get(number)) is not None:
                        self.engine.set_down(spec.id, down)
                case Started() as message:
                    self.commands.started(message)
                case Silent() as message:
                    self.commands.silent(message)
                case Answer() as message:
                    self.commands.answered(message)
                case Pong():
                    self.commands.heard()

    async def _take(self, work: Work) -> None:
        lend(work.files)
        self._fresh += work.added
        self._gone += work.removed
        if not work.last:
            return
        fresh, self._fresh, gone, self._gone = self._fresh, [], self._gone, []
        await asyncio.to_thread(libraries.load, [spec for _, spec, _ in fresh])
        for number in gone:
            spec = self._specs.pop(number, None)
            if spec is not None:
                del self._numbers[spec.id]
        for number, spec, _ in fresh:
            self._specs[number] = spec
            self._numbers[spec.id] = number
        self.engine.configure(self._specs.values(), continues=work.continues)
        for _, spec, down in fresh:
            if down:
                self.engine.set_down(spec.id, down=True)

    def _number_of(self, check: CheckId) -> int | None:
        return self._numbers.get(check)
