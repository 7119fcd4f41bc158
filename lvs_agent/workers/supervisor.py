"""The check workers as the rest of the agent sees them: one engine, whatever becomes of the processes.

Every check belongs to one worker, by a hash of its id.  A worker that dies, hangs or says what none says is killed and
replaced; its checks keep their health and their times, because those are here and in the clock.
"""

from __future__ import annotations

import asyncio
import math
import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from lvs_agent.checks.kinds import checkers
from lvs_agent.clock import Clock
from lvs_agent.commands.command_runner import CommandRunner
from lvs_agent.errors import StarterLost
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Errored, ErrorReason, Load
from lvs_agent.model.workers import LossCause, WorkerState
from lvs_agent.workers.command_calls import CommandCalls
from lvs_agent.workers.link import Uplink, rate_of
from lvs_agent.workers.processes import Starter
from lvs_agent.workers.slot import Lost, Slot

LOOK_S = 0.25
"""How often the supervisor looks whether the workers are alive."""
CHECKS_A_SECOND = 8_000
"""Checks a second for which one more worker is started."""


class Supervisor:
    """Runs checks as ``checks.engine.Engine`` does, in ``count`` workers (None: by their rate and the processors).

    Every method is called on the loop; the properties may be read from any thread.  ``report`` gets results in batches.
    ``commands`` runs the commands of checks.  ``lost`` is called when a worker is replaced, and when one could not be
    started.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        report: Callable[[Sequence[CheckReport]], None],
        starter: Starter,
        commands: CommandRunner,
        thread_concurrency: int,
        lost: Callable[[Lost], None],
        count: int | None = None,
    ) -> None:
        self.count = count
        self._clock = clock
        self._report = report
        self._starter = starter
        self._commands = commands
        self._calls = CommandCalls(commands)
        self._uplink = Uplink(
            results=self._take, call=self._calls.call, cancel=self._calls.cancel, ended=self._calls.cancel_all
        )
        self._thread_concurrency = thread_concurrency
        self._on_lost = lost
        self._losses = Counter[LossCause]()
        self._specs: dict[CheckId, CheckSpec] = {}
        self._down: set[CheckId] = set()
        self._final: set[CheckId] = set()
        self._slots: list[Slot] = []
        self._group: asyncio.TaskGroup | None = None

    @property
    def load(self) -> Load:
        """What all workers run, and the commands that run for them."""
        loads = [slot.load for slot in self._slots]
        return Load(
            in_flight=sum(load.in_flight for load in loads),
            pending=sum(load.pending for load in loads),
            threads=sum(load.threads for load in loads),
            threads_queued=sum(load.threads_queued for load in loads),
            thread_oldest_s=max((load.thread_oldest_s for load in loads), default=0.0),
            commands=self._commands.running,
            commands_queued=self._commands.waiting,
        )

    @property
    def states(self) -> Mapping[WorkerState, int]:
        """How many workers there are in each state."""
        return Counter(slot.state for slot in self._slots)

    @property
    def losses(self) -> Mapping[LossCause, int]:
        """How many workers were replaced so far."""
        return dict(self._losses)

    def configure(self, specs: Collection[CheckSpec]) -> None:
        """Replace the set of checks, as ``Engine.configure`` does.  Raises KeyError if there is no such kind of check;
        then nothing has changed.
        """
        kinds = checkers()
        for kind in {spec.kind for spec in specs}:
            kinds[kind]
        self._specs = {spec.id: spec for spec in specs}
        self._down &= self._specs.keys()
        self._final &= self._specs.keys()
        self._resize(self.count or workers_for(self._specs.values()))
        self._share_out()

    def set_down(self, check: CheckId, down: bool) -> None:  # noqa: FBT001 - the state is the message
        """Run a check at its interval for servers that are down, or at its usual interval.  Unknown ids are ignored."""
        if check not in self._specs:
            return
        (self._down.add if down else self._down.discard)(check)
        self._slot_of(check).set_down(check, down=down)

    async def run(self) -> None:
        """Run the checks until cancelled; then end the workers.  Raises StarterLost if the starter ends.  Call it
        once.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for slot in self._slots:
                    slot.start(group)
                group.create_task(self._look(), name="look after check workers")
                raise StarterLost(await self._starter.lost())
        finally:
            self._group = None
            await self._commands.close()

    # --- who runs what --------------------------------------------------------------------------------------------

    def _resize(self, count: int) -> None:
        """Have ``count`` workers.  The checks of those that end move to the others."""
        for slot in self._slots[count:]:
            slot.stop()
        del self._slots[count:]
        while len(self._slots) < count:
            slot = Slot(
                clock=self._clock,
                starter=self._starter,
                uplink=self._uplink,
                thread_concurrency=self._thread_concurrency,
                lost=self._lost,
            )
            self._slots.append(slot)
            if self._group is not None:
                slot.start(self._group)

    def _share_out(self) -> None:
        shares: list[dict[CheckId, CheckSpec]] = [{} for _ in self._slots]
        for check, spec in self._specs.items():
            if check not in self._final:
                shares[self._place_of(check)][check] = spec
        for slot, share in zip(self._slots, shares, strict=True):
            slot.configure(share, self._down)

    def _place_of(self, check: CheckId) -> int:
        return zlib.crc32(check.encode()) % len(self._slots)

    def _slot_of(self, check: CheckId) -> Slot:
        return self._slots[self._place_of(check)]

    # --- what the workers say -------------------------------------------------------------------------------------

    def _take(self, reports: list[CheckReport]) -> None:
        for report in reports:
            if report.is_final:
                self._final.add(report.check)
                self._slot_of(report.check).settle(report.check)
        self._report(reports)

    def _lost(self, slot: Slot, lost: Lost) -> None:
        """Tell that a worker was lost; its checks may have missed a run, which is our fault and not the servers'."""
        self._losses[lost.cause] += 1
        self._on_lost(lost)
        error = Errored(ErrorReason.LATE, "the process that runs this check was replaced")
        now = self._clock.now()
        missed = [CheckReport(check, error, now, 0.0, 0.0) for check in slot.checks]
        if missed:
            self._report(missed)

    async def _look(self) -> None:
        """Kill workers that hang.  What this loop is late itself counts for nobody."""
        expected = self._clock.monotonic() + LOOK_S
        while True:
            await asyncio.sleep(max(0.0, expected - self._clock.monotonic()))
            now = self._clock.monotonic()
            late_s = max(0.0, now - expected)
            for slot in self._slots:
                slot.look(now, late_s=late_s)
            expected = now + LOOK_S


def workers_for(specs: Collection[CheckSpec]) -> int:
    """How many workers the checks need: one for each 8,000 a second, at most one for each processor."""
    needed = math.ceil(sum(map(rate_of, specs)) / CHECKS_A_SECOND)
    return max(1, min(needed, os.cpu_count() or 1))
