"""One check of the engine and its running probe: started, stepped and cancelled here.  The engine decides when.

A probe is driven in one of two ways.  An *inline* probe awaits only the poller and is stepped by hand, which saves a
task, a future and two rounds of the loop.  Any other probe runs as an asyncio task.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from functools import partial
from typing import cast

from lvs_agent.checks.engine.alternating import Alternating
from lvs_agent.checks.engine.schedule import interval_of
from lvs_agent.checks.kinds import Checker
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.model.check import CheckResult, CheckSpec, Errored, ErrorReason, Failed, Passed

Finished = Callable[["RunningCheck", CheckResult], None]
Asked = Callable[["RunningCheck"], None]


class RunningCheck:
    """A configured check with its schedule, and its running probe, if there is one.

    ``run``: the context of its probes.  ``due``: the time of its next run, or None after it was removed.
    ``interval_s``: its current interval.  ``off_grid``: the next run is not on its grid.  ``owed``: the run of the grid
    that was skipped because the previous one still ran.  ``is_up``: its last probe passed, and it is not down.
    ``doubted``: its last result contradicts its health.  ``is_settled``: no later result can be different, so it need
    not run again.  ``deadline``: of the running probe, None while none runs.  ``started``: the last probe;
    minus infinity before the first.  ``began``: the same, or the time when it got the slot that it had waited for.
    All times are seconds of the monotonic clock.
    """

    __slots__ = (
        "_alternating", "_checker", "_coroutine", "_failures", "_finished", "_poller", "_resume", "_task", "began",
        "deadline",
        "doubted", "down", "due", "fraction", "interval_s", "is_settled", "is_up", "off_grid", "owed", "run", "spec",
        "started", "started_late", "timeout_s",
    )  # fmt: skip

    def __init__(
        self,
        spec: CheckSpec,
        *,
        checker: Checker,
        fraction: float,
        resources: ProbeResources,
        finished: Finished,
        run_early: Asked,
        restart_deadline: Asked,
    ) -> None:
        self.spec = spec
        self.run = ProbeRun(
            resources,
            check=spec.id,
            request_early_run=partial(run_early, self),
            restart_deadline=partial(restart_deadline, self),
        )
        self.fraction = fraction
        self.down = False
        self.doubted = False
        self.is_up = False
        self.is_settled = False
        self._failures = 0
        self.interval_s = spec.interval_s
        self.off_grid = True
        self.owed: float | None = None
        self.due: float | None = None
        self.deadline: float | None = None
        self.started = self.began = -math.inf
        self.started_late = 0.0
        self._checker = checker
        self._alternating = Alternating(checker, spec) if spec.connects_between else None
        self.timeout_s = spec.timeout_s
        self._finished = finished
        self._coroutine: Coroutine[object, None, CheckResult] | None = None
        self._task: asyncio.Task[None] | None = None
        self._poller = resources.poller
        self._resume = self._step

    def set_down(self, *, down: bool) -> None:
        """Use the interval for servers that are down, or the usual one."""
        self.down = down
        self.doubted = False
        self._choose_interval()

    def _choose_interval(self) -> None:
        self.interval_s = interval_of(self.spec, down=self.down, doubted=self.doubted)

    def note(self, result: CheckResult) -> None:
        """Note the result of the last probe, or of its deadline."""
        self.deadline = None
        self.is_up = isinstance(result, Passed) and not self.down
        if self.spec.fast_interval_s is not None and not isinstance(result, Errored):
            self.doubted = isinstance(result, Passed) is self.down
            self._choose_interval()
        if self._alternating is not None:
            self._alternating.note(result)
        if self._checker.constant:
            self._settle(result)

    def _settle(self, result: CheckResult) -> None:
        """Note whether a result that is always the same has settled the health.

        A success settles it at once, a failure after ``fall`` of them.
        """
        self._failures += isinstance(result, Failed)
        self.is_settled = isinstance(result, Passed) or self._failures >= self.spec.fall

    @property
    def busy(self) -> bool:
        """Whether a probe runs, or is still cleaning up."""
        return self._coroutine is not None or self._task is not None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task of the running probe, or None."""
        return self._task

    def start(self) -> None:
        """Start a probe; ``finished`` is called with its result, possibly before this returns."""
        checker = self._checker if self._alternating is None else self._alternating.next()
        self.run.progress.restart()
        if not checker.inline:
            name = f"probe {self.spec.kind} {self.spec.id}"
            self._task = asyncio.get_running_loop().create_task(self._as_task(checker), name=name)
            self._task.add_done_callback(self._task_done)
            return
        try:
            probe = checker.probe(self.spec.target, self.run)
        except Exception as problem:  # noqa: BLE001 - a bug in one checker must not stop the checks of all others
            self._finished(self, _internal(problem))
            return
        self._coroutine = cast("Coroutine[object, None, CheckResult]", probe)
        self._step()

    def cancel(self) -> None:
        """End the running probe without a result.  An inline probe ends at once, a task after it has cleaned up."""
        self.deadline = None
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            coroutine.close()
        elif self._task is not None:
            self._task.cancel()

    def _step(self) -> None:
        """Run the inline probe until it waits again or ends."""
        coroutine, poller = self._coroutine, self._poller
        if coroutine is None:
            return
        poller.running = self._resume
        try:
            awaited = coroutine.send(None)
        except StopIteration as end:
            result: CheckResult = end.value
        except Exception as problem:  # noqa: BLE001 - a bug in one checker must not stop the checks of all others
            result = _internal(problem)
        else:
            if awaited is None:
                return
            coroutine.close()
            result = Errored(ErrorReason.INTERNAL, f"an inline probe awaited {type(awaited).__name__}")
        finally:
            poller.running = None
        self._coroutine = None
        self._finished(self, result)

    async def _as_task(self, checker: Checker) -> None:
        # The probe's coroutine is made here, so that a task that is cancelled before it ran leaves none unawaited.
        try:
            result = await checker.probe(self.spec.target, self.run)
        except Exception as problem:  # noqa: BLE001 - a bug in one checker must not stop the checks of all others
            result = _internal(problem)
        if self.deadline is not None:
            self._finished(self, result)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None


def _internal(problem: Exception) -> Errored:
    return Errored(ErrorReason.INTERNAL, f"{type(problem).__name__}: {problem}")
