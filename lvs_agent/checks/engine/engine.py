"""Runs every configured check at its times and reports the results in batches.

The engine handles intervals, deadlines and cancellation; probes do not.  ``schedule`` determines when they run.  Starts
and deadlines are grouped in slots of 20 ms, and one tick of the engine handles all that is due.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence

from lvs_agent.checks.engine import schedule
from lvs_agent.checks.engine.running import RunningCheck
from lvs_agent.checks.engine.wheel import SLOT_S, SlotWheel
from lvs_agent.checks.kinds import Checker, checkers
from lvs_agent.checks.net.progress import Progress, Stage
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.clock import Clock
from lvs_agent.model.check import (
    CheckId,
    CheckReport,
    CheckResult,
    CheckSpec,
    Errored,
    ErrorReason,
    Failed,
    FailureReason,
    Load,
    Passed,
)

LATE_S = 0.25
"""A timeout that is handled this many seconds late shows that the agent's loop hung, not the server."""

ROUTINE_S = 0.1
"""Seconds that the success of a server that is up may wait, to be reported together with others."""

_CLEAN_UP_S = 2.0


class Engine:
    """All checks of one event loop.  Every method is called on that loop.

    ``report`` gets the results in batches on the loop: results that may change something at once, successes of servers
    that are up within ``ROUTINE_S``.  The engine opens and closes ``resources``.  ``kinds``: by default all.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        report: Callable[[Sequence[CheckReport]], None],
        resources: ProbeResources,
        kinds: Mapping[str, Checker] | None = None,
    ) -> None:
        self._clock = clock
        self._report = report
        self._resources = resources
        self._kinds = checkers() if kinds is None else kinds
        self._checks: dict[CheckId, RunningCheck] = {}
        self._settled: set[CheckId] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._starts: SlotWheel[tuple[RunningCheck, float]] = SlotWheel()
        self._running: dict[RunningCheck, None] = {}
        self._results: list[CheckReport] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._flush_at = math.inf
        self._failed: asyncio.Future[None] | None = None

    @property
    def load(self) -> Load:
        """The current load of the engine and of what its probes share."""
        threads, commands = self._resources.threads.load, self._resources.commands
        return Load(
            in_flight=len(self._running),
            pending=self._starts.waiting(until=self._clock.monotonic()),
            threads=threads.busy,
            threads_queued=threads.queued,
            thread_oldest_s=threads.oldest_s,
            commands=commands.running,
            commands_queued=commands.waiting,
        )

    def configure(self, specs: Collection[CheckSpec], *, continues: bool = False) -> None:
        """Replace the set of checks.

        Checks with equal ids continue with their phase, state and running probe; those with a result that cannot change
        are not reported again.  New ones run soon, or if they ``continue`` from another engine at their next time.  If
        this raises an error about a check, nothing has changed.
        """
        configured = {spec.id: spec for spec in specs}
        settled = self._settled & configured.keys()
        fresh = [self._made(configured[new]) for new in configured.keys() - self._checks.keys() - settled]
        self._settled = settled
        for gone in self._checks.keys() - configured.keys():
            self._drop(self._checks.pop(gone))
        now = self._clock.monotonic()
        for new in fresh:
            self._add(new, now=now, together=None if continues else len(fresh))
        self._arm()

    def set_down(self, check: CheckId, down: bool) -> None:  # noqa: FBT001 - the state is the message
        """Run a check at its interval for servers that are down, or at its usual interval.  Unknown ids are ignored."""
        running = self._checks.get(check)
        if running is None or running.down is down:
            return
        before = running.interval_s
        running.set_down(down=down)
        if running.interval_s != before:
            self._change_grid(running)

    async def run(self) -> None:
        """Run the checks until cancelled; then cancel every probe and close the shared resources.  Call it once."""
        async with self._resources:
            self._loop = asyncio.get_running_loop()
            self._failed = self._loop.create_future()
            self._on_timer()
            try:
                await self._failed
            finally:
                await self._stop()

    def tick(self) -> None:
        """End probes that are over time, start those that are due, report results.  ``run`` calls it in time."""
        now = self._clock.monotonic()
        if self._over_time(now):
            self._resources.poller.poll()  # answers that came while the tick was late count
        for check in self._over_time(now):
            self._expire(check, now=now)
        for check, due in self._starts.take(until=now):
            if check.due == due:
                self._begin(check, due=due)
        if now >= self._flush_at:
            self._flush()

    # -- the timer -----------------------------------------------------------------------------------------------

    def _on_timer(self) -> None:
        """Tick, and set the timer for the next."""
        self._timer = None
        self._timer_at = -math.inf  # no need to set the timer during the tick
        self._guarded(self.tick)
        self._timer_at = math.inf
        self._arm()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Call ``step`` of the engine; an exception in it ends ``run``."""
        try:
            step()
        except Exception as problem:  # noqa: BLE001 - run() raises it
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(problem)

    def _arm(self) -> None:
        """Set the timer for the next slot that is not empty."""
        if self._loop is None or self._failed is None or self._failed.done():
            return
        now = self._clock.monotonic()
        at = min(self._flush_at, self._starts.next_at() or math.inf, self._next_deadline())
        if at >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        # uvloop's timers round to milliseconds and may fire early: add one millisecond, so that they do not fire twice
        self._timer = self._loop.call_later(max(0.0, at - now) + 0.001, self._on_timer)
        self._timer_at = at

    # -- which checks there are --------------------------------------------------------------------------------------

    def _made(self, spec: CheckSpec) -> RunningCheck:
        fraction = schedule.fraction_of(spec.id)
        return RunningCheck(
            spec,
            checker=self._kinds[spec.kind],
            fraction=fraction,
            resources=self._resources,
            finished=self._finished,
            run_early=self._run_early,
            restart_deadline=self._restart_deadline,
        )

    def _add(self, check: RunningCheck, *, now: float, together: int | None) -> None:
        fraction, interval_s = check.fraction, check.interval_s
        self._checks[check.spec.id] = check
        check.off_grid = together is not None
        if together is None:
            first = schedule.next_run(fraction=fraction, interval_s=interval_s, after=now)
        else:
            first = schedule.first_run(fraction=fraction, interval_s=interval_s, now=now, together=together)
        self._plan(check, first)

    def _drop(self, check: RunningCheck) -> None:
        check.due = None
        self._running.pop(check, None)
        check.cancel()
        check.run.release()
        self._let_go(check)

    def _let_go(self, check: RunningCheck) -> None:
        """Remember a cancelled task until it has cleaned up."""
        if check.task is not None:
            self._leaving.add(check.task)
            check.task.add_done_callback(self._leaving.discard)

    # -- probes --------------------------------------------------------------------------------------------------

    def _plan(self, check: RunningCheck, due: float) -> None:
        check.due = due
        self._starts.add((check, due), at=due)

    def _run_early(self, check: RunningCheck) -> None:
        """Run a check now, unless it is running."""
        if check.due is not None and not check.busy:
            check.off_grid = True
            self._plan(check, self._clock.monotonic())
            self._arm()

    def _restart_deadline(self, check: RunningCheck) -> None:
        """Give the running probe all its time from now: until here it waited for us, so it has started late."""
        now = self._clock.monotonic()
        check.started_late += now - check.began
        check.began = now
        check.deadline = now + check.timeout_s
        self._arm()

    def _change_grid(self, check: RunningCheck) -> None:
        """Plan the next run again after a change of the interval."""
        due = schedule.run_after_change(
            fraction=check.fraction, interval_s=check.interval_s, last=check.started, now=self._clock.monotonic()
        )
        self._plan(check, due)
        self._arm()

    def _begin(self, check: RunningCheck, *, due: float) -> None:
        now = self._clock.monotonic()
        if check.busy or self._loop is None:
            check.owed = due
            self._plan(check, schedule.next_run(fraction=check.fraction, interval_s=check.interval_s, after=now))
            return
        check.started = check.began = now
        check.started_late = now - due
        check.deadline = now + check.timeout_s
        self._running[check] = None
        if check.off_grid:
            check.off_grid = False
            following = schedule.run_after_change(
                fraction=check.fraction, interval_s=check.interval_s, last=now, now=now
            )
        else:
            following = schedule.run_after(check.fraction, check.interval_s, due)
            if following <= now:
                following = schedule.next_run(fraction=check.fraction, interval_s=check.interval_s, after=now)
        check.due = following
        check.start()
        if check.due == following:  # a result that came at once has not changed that
            self._plan(check, following)

    def _make_up(self, check: RunningCheck, *, now: float) -> None:
        """Start a run now that was skipped because the previous one had not ended, or leave it to the grid's next run.

        If the timeout is as long as the interval, a probe that times out ends just after the next one is due.
        """
        owed, check.owed = check.owed, None
        if owed is not None and check.due is not None and now - owed < check.interval_s / 2:
            check.off_grid = True
            self._plan(check, now)

    def _over_time(self, now: float) -> list[RunningCheck]:
        """The checks with probes that are over time.  Few probes run at a time, so this looks at all of them."""
        return [check for check in self._running if check.deadline is not None and check.deadline <= now]

    def _next_deadline(self) -> float:
        """The end of the slot in which the next probe times out; infinity if no probe runs."""
        soonest = min((check.deadline or math.inf for check in self._running), default=math.inf)
        return math.ceil(soonest / SLOT_S) * SLOT_S if soonest < math.inf else math.inf

    def _expire(self, check: RunningCheck, *, now: float) -> None:
        deadline = check.deadline or now
        result = over_time(check.run.progress, timeout_s=check.spec.timeout_s, late_s=now - deadline)
        self._finished(check, result)
        check.cancel()
        self._let_go(check)

    def _finished(self, check: RunningCheck, result: CheckResult) -> None:
        now = self._clock.monotonic()
        routine = isinstance(result, Passed) and check.is_up
        before = check.interval_s
        check.note(result)
        self._running.pop(check, None)
        final = check.is_settled
        self._results.append(
            CheckReport(check.spec.id, result, self._clock.now(), now - check.began, check.started_late, final)
        )
        if final:
            self._settle(check)
        elif check.interval_s != before:
            check.owed = None
            self._change_grid(check)
        elif check.owed is not None:
            self._make_up(check, now=now)
        if not routine and self._flush_at > now and self._loop is not None:
            self._flush_at = now
            self._loop.call_soon(self._guarded, self._flush)
        elif self._flush_at == math.inf:
            self._flush_at = now + ROUTINE_S
            self._arm()

    def _settle(self, check: RunningCheck) -> None:
        """Stop a check that need not run again, and remember only that it is settled."""
        self._drop(self._checks.pop(check.spec.id))
        self._settled.add(check.spec.id)

    def _flush(self) -> None:
        """Report the results so far.  Ticks report successes, because another timer would wake the process again."""
        self._flush_at = math.inf
        results, self._results = self._results, []
        if results:
            self._report(results)

    async def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop = None
        self._timer_at = math.inf
        for check in self._checks.values():
            self._drop(check)
        self._checks.clear()
        self._settled.clear()
        self._results.clear()
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_CLEAN_UP_S)


def over_time(progress: Progress, *, timeout_s: float, late_s: float) -> Failed | Errored:
    """The result of a probe that timed out; the engine noticed it ``late_s`` seconds after the deadline."""
    if late_s > LATE_S:
        return Errored(ErrorReason.LATE, f"lvs-agent was busy and noticed the timeout {late_s:.2f} s late")
    detail = f"no answer within {timeout_s:g} s: waiting for {progress.waiting_for}"
    match progress.stage:
        case Stage.QUEUED:
            return Errored(ErrorReason.BUSY, detail)
        case Stage.CONNECTING:
            return Failed(FailureReason.CONNECT_TIMEOUT, detail)
        case Stage.CONNECTED:
            return Failed(FailureReason.READ_TIMEOUT, detail)
