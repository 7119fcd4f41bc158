"""A supervisor with real workers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lvs_agent.clock import SystemClock
from lvs_agent.commands.command_runner import CommandRunner
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Errored
from lvs_agent.model.workers import WorkerState
from lvs_agent.workers.processes import Starter
from lvs_agent.workers.supervisor import Supervisor
from tests.process.family import worker_of

PATIENCE_S = 30.0


@dataclass
class Bench:
    """A supervisor at work, and what it has reported."""

    supervisor: Supervisor
    starter: Starter
    reports: list[CheckReport] = field(default_factory=list)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what a worker does."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)

    def kill_worker(self) -> None:
        """Kill the process with the checks."""
        self.starter._processes[worker_of(os.getpid())].kill()

    async def begin(self, check: CheckSpec) -> None:
        """Run a check, and wait until a probe is under way or has ended."""
        await self.until(lambda: self.supervisor.states.get(WorkerState.RUNNING) == 1)
        self.supervisor.configure([check])
        await self.until(lambda: self.supervisor.load.in_flight or self.reports)

    def results_since(self, count: int, of: CheckId) -> list[CheckReport]:
        """The results of a check that say something about its server."""
        return [
            report for report in self.reports[count:] if report.check == of and not isinstance(report.result, Errored)
        ]


@asynccontextmanager
async def a_bench(*, count: int | None = None) -> AsyncIterator[Bench]:
    """Its processes end with the block."""
    starter = Starter.fork()
    reports: list[CheckReport] = []

    def take(batch: Sequence[CheckReport]) -> None:
        reports.extend(batch)

    supervisor = Supervisor(
        clock=SystemClock(),
        report=take,
        starter=starter,
        commands=CommandRunner(start=starter.start_runner),
        thread_concurrency=8,
        lost=lambda _: None,
        count=count,
    )
    bench = Bench(supervisor, starter, reports)
    supervisor.configure([])
    task = asyncio.create_task(supervisor.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.wait({task})
        starter.detach()
        await asyncio.to_thread(starter.close)
