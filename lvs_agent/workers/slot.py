"""The place of one check worker: starts it, gives it its checks, and starts the next one when it is lost."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from lvs_agent.clock import Clock
from lvs_agent.commands.command import signal_name
from lvs_agent.model.check import CheckId, CheckSpec, Load
from lvs_agent.model.workers import LossCause, WorkerState
from lvs_agent.workers.closed_files import closed_files_of
from lvs_agent.workers.link import Link, Uplink
from lvs_agent.workers.processes import Process, Starter
from lvs_agent.workers.worker_log import repeat

SILENT_S = 5.0
"""A worker that says nothing for so long hangs."""
FIRST_SILENT_S = 30.0
"""A new worker may take so long, because it imports libraries first."""
STEADY_S = 60.0
"""A worker that has run for so long is replaced at once; one that has not waits, longer each time."""
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_TLS = "with TLS"
"""Stands among the kinds of checks for the libraries of TLS."""
ENDS_S = 1.0
"""Most seconds for a process to end that was killed, or told to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A worker was lost.  ``again_in_s``: seconds until the next one is started."""

    cause: LossCause
    detail: str
    pid: int | None
    checks: int
    again_in_s: float


class Slot:
    """``checks``: those of this worker.  ``link`` is None while no worker can be used."""

    def __init__(
        self,
        *,
        clock: Clock,
        starter: Starter,
        uplink: Uplink,
        thread_concurrency: int,
        lost: Callable[[Slot, Lost], None],
    ) -> None:
        self.checks: dict[CheckId, CheckSpec] = {}
        self.link: Link | None = None
        self.state = WorkerState.STARTING
        self._clock = clock
        self._starter = starter
        self._uplink = uplink
        self._thread_concurrency = thread_concurrency
        self._lost = lost
        self._down: Collection[CheckId] = ()
        self._settled: set[CheckId] = set()
        self._short_lives = 0
        self._given: set[CheckId] = set()
        self._imported: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def load(self) -> Load:
        """What the worker runs."""
        return Load() if self.link is None else self.link.load

    def start(self, group: asyncio.TaskGroup) -> None:
        """Keep a worker running until stopped."""
        self._task = group.create_task(self._keep(), name="check worker")

    def stop(self) -> None:
        """End the worker."""
        if self._task is not None:
            self._task.cancel()

    def configure(self, checks: Mapping[CheckId, CheckSpec], down: Collection[CheckId]) -> None:
        """Replace the checks.  ``down``: those of all workers that are down; kept, not copied."""
        before, self.checks, self._down = self.checks, dict(checks), down
        if self.link is not None and self._lacks_libraries():
            self.link.end(None)
            self.link = None
        if self.link is not None:
            fresh = [(spec, check in down) for check, spec in checks.items() if check not in before]
            gone = (before.keys() | self._settled) - checks.keys()
            files = closed_files_of(checks.values())
            if fresh or gone or files:
                self.link.work(fresh, gone, continues=False, files=files)
            self._given = set(checks)
        else:
            self._given &= checks.keys()
        self._settled.clear()

    def settle(self, check: CheckId) -> None:
        """A check need not run again.  The next change takes it from the worker, which does nothing for it."""
        if self.checks.pop(check, None) is not None:
            self._settled.add(check)

    def set_down(self, check: CheckId, *, down: bool) -> None:
        """A check is down, or no longer."""
        if self.link is not None:
            self.link.set_down(check, down=down)

    def look(self, now: float, *, late_s: float) -> None:
        """End a worker that hangs.  ``late_s``: seconds for which this process could not listen."""
        link = self.link
        if link is None:
            return
        link.excuse(late_s)
        silent_s = now - link.heard_at
        if silent_s > (SILENT_S if link.has_said_something else FIRST_SILENT_S):
            link.end(LossCause.HUNG, f"nothing heard for {silent_s:.1f} s")
        elif link.has_said_something:
            self.state = WorkerState.RUNNING

    # --- one worker after the other -------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            self.state = WorkerState.STARTING
            began = self._clock.monotonic()
            try:
                cause, detail, pid = await self._one()
            except OSError as problem:
                cause, detail, pid = LossCause.DIED, f"not started: {problem.strerror or problem}", None
            steady = self._clock.monotonic() - began >= STEADY_S
            if cause is None:
                continue
            self._short_lives = 0 if steady else min(self._short_lives + 1, len(PAUSES_S))
            pause_s = PAUSES_S[max(0, self._short_lives - 1)]
            self.state = WorkerState.FAILED if pause_s else WorkerState.STARTING
            self._lost(self, Lost(cause=cause, detail=detail, pid=pid, checks=len(self.checks), again_in_s=pause_s))
            await asyncio.sleep(pause_s)

    async def _one(self) -> tuple[LossCause | None, str, int | None]:
        """Run one worker to its end.  Raises OSError if it cannot be started."""
        channel, process, log_end = await self._started()
        link = Link(clock=self._clock, uplink=self._uplink)
        try:
            async with asyncio.TaskGroup() as group:
                await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=channel)
                helpers = group.create_task(link.run()), group.create_task(repeat(log_end, pid=process.pid))
                if self._lacks_libraries():
                    link.end(None)
                else:
                    self._give(link)
                    self.link = link
                await asyncio.wait([link.ended])
                for helper in helpers:
                    helper.cancel()
        finally:
            self.link = None
            link.close()
            self._uplink.ended(link)
            await _end(process, at_once=not link.ended.done() or link.ended.result()[0] is not LossCause.DIED)
        cause, detail = link.ended.result()
        return cause, detail or how_it_ended(process.poll()), process.pid

    def _give(self, link: Link) -> None:
        """Give a new worker all checks: those that another one had before it go on with their times."""
        given, self._given = self._given, set(self.checks)
        for continues in (True, False):
            checks = [
                (spec, check in self._down) for check, spec in self.checks.items() if (check in given) is continues
            ]
            link.work(checks, (), continues=continues, files=closed_files_of(spec for spec, _ in checks))

    async def _started(self) -> tuple[socket.socket, Process, int]:
        """A new process, our end of its socket, and the end of the pipe that is its standard error."""
        ours, theirs = socket.socketpair()
        log_end, log = os.pipe()
        self._imported |= self._kinds()
        options = {
            "thread_concurrency": self._thread_concurrency,
            "kinds": sorted(self._imported - {_TLS}),
            "tls": _TLS in self._imported,
        }
        try:
            return ours, await self._starter.start("worker", [theirs.fileno(), log], options), log_end
        except BaseException:
            ours.close()
            os.close(log_end)
            raise
        finally:
            theirs.close()
            os.close(log)

    def _lacks_libraries(self) -> bool:
        """Whether there are checks of kinds for which the worker may not import the libraries itself."""
        return not self._starter.workers_may_import and not self._kinds() <= self._imported

    def _kinds(self) -> set[str]:
        """The kinds of the checks, and _TLS if some of them use it."""
        different = {id(spec.target.settings): spec for spec in self.checks.values()}.values()
        kinds = {spec.kind for spec in different}
        return kinds | {_TLS} if any(spec.target.settings.uses_tls for spec in different) else kinds


def how_it_ended(status: int | None) -> str:
    """The end of a process, from its status of waitpid(2); None: it has not ended."""
    if status is None:
        return "it closed its connection"
    if os.WIFSIGNALED(status):
        return f"killed by {signal_name(os.WTERMSIG(status))}"
    return f"exit status {os.waitstatus_to_exitcode(status)}"


async def _end(process: Process, *, at_once: bool) -> None:
    """See a process end; ``at_once``: it would not end, though its connection is closed."""
    if at_once:
        process.kill()
    await asyncio.wait([process.ended], timeout=ENDS_S)
    process.kill()
