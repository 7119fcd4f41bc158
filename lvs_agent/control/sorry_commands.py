"""Runs sorry commands: ``start`` when the last real server of a service fails, ``stop`` when the first one recovers.

Calls for one service never overlap; a request that is replaced while a call runs is left out.  A call that fails is
logged and counted, but not retried: the next call is made when the service fails or recovers the next time.  Nothing
waits for a command, and sorry commands have a separate runner, so that they take no places from checks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from lvs_agent.clock import Clock
from lvs_agent.commands.command import ENVIRONMENT, OUTPUT_LIMIT, Command, Ended
from lvs_agent.commands.command_runner import CommandRunner, RunnerLost, StartRunner, start_runner
from lvs_agent.commands.privileges import OF_A_SERVICE
from lvs_agent.control.reporting import Reporter
from lvs_agent.core.sorry_command import SorryAction, SorryOutcome, call_arguments
from lvs_agent.log import get_logger
from lvs_agent.model.event import EventKind
from lvs_agent.model.intent import SorryCommand
from lvs_agent.model.ipvs import ServiceKey

log = get_logger()

CONCURRENCY = 8
"""Most commands that run at the same time; others wait, and their time limit starts when they start."""

SorryCounts = Mapping[tuple[ServiceKey, SorryAction, SorryOutcome], int]
"""Number of calls, by service, action and outcome."""


@dataclass(slots=True)
class _Lane:
    """The requested state of one service's command, and the task that makes its calls, if there are any."""

    service: ServiceKey
    name: str
    command: SorryCommand
    active: bool = False
    leaves: bool = False
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    outcome: SorryOutcome
    exit_status: int | None = None
    signal: str | None = None
    output: str | None = None
    error: str | None = None


class SorryCommands:
    """Every method is called on the loop; the properties may be read from any thread.

    ``started``: the services whose last call was ``start``, by this process or an earlier one.  ``changed`` is called
    when this set has changed, before the call is made, and when a call has ended.  ``user``: the user for commands
    without a user of their own; None as in ``CommandRunner``.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        reporter: Reporter,
        started: Collection[ServiceKey] = (),
        changed: Callable[[], None],
        user: str | None = None,
        concurrency: int = CONCURRENCY,
        start_runner: StartRunner = start_runner,
    ) -> None:
        self._clock = clock
        self._reporter = reporter
        self._started = frozenset(started)
        self._changed = changed
        self._runner = CommandRunner(concurrency=concurrency, user=user, start=start_runner)
        self._lanes: dict[ServiceKey, _Lane] = {}
        self._counts: Counter[tuple[ServiceKey, SorryAction, SorryOutcome]] = Counter()
        self._finishing = False

    @property
    def started(self) -> frozenset[ServiceKey]:
        """The services whose last call was ``start``, whatever its outcome."""
        return self._started

    @property
    def counts(self) -> SorryCounts:
        """The calls made so far."""
        return dict(self._counts)

    def want(self, service: ServiceKey, *, name: str, command: SorryCommand, active: bool) -> None:
        """Request ``start`` (``active``) or ``stop`` with ``command``, unless that was the last call of ``service``."""
        if self._finishing:
            return
        lane = self._lanes.setdefault(service, _Lane(service, name, command))
        lane.name, lane.command, lane.active, lane.leaves = name, command, active, False
        self._serve(lane)

    def retain(self, services: Collection[ServiceKey]) -> None:
        """Call ``stop`` for services that are started and not in ``services``, with the command that started them."""
        if self._finishing:
            return
        for service in (self._started | self._lanes.keys()) - set(services):
            lane = self._lanes.get(service)
            if lane is None:
                _warn_unknown(service)
                self._note(service, SorryAction.STOP)
            else:
                lane.active, lane.leaves = False, True
                self._serve(lane)

    async def finish(self, services: Collection[ServiceKey], *, timeout_s: float) -> None:
        """Call ``stop`` for those of ``services`` that are started, wait for other calls, and end.

        Calls that have not ended after ``timeout_s`` seconds in all are killed.
        """
        self._finishing = True
        for lane in list(self._lanes.values()):
            ends = lane.leaves or lane.service in services
            lane.active = not ends and lane.service in self._started
            self._serve(lane)
        for service in (self._started - self._lanes.keys()).intersection(services):
            _warn_unknown(service)
        tasks = {lane.task: lane for lane in self._lanes.values() if lane.task is not None}
        try:
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=timeout_s)
                for task in late:
                    log.error("sorry_command_cut_short", virtual_service=tasks[task].name, limit_s=timeout_s)
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            await self._runner.close()

    def _serve(self, lane: _Lane) -> None:
        """Start the task that makes the calls of ``lane``, unless it runs."""
        if lane.task is not None:
            return
        if lane.active is not (lane.service in self._started):
            lane.task = asyncio.get_running_loop().create_task(self._calls(lane), name=f"sorry command of {lane.name}")
        elif lane.leaves:
            del self._lanes[lane.service]

    async def _calls(self, lane: _Lane) -> None:
        """Call until the last call is the requested one."""
        try:
            while lane.active is not (lane.service in self._started):
                action = SorryAction.START if lane.active else SorryAction.STOP
                self._note(lane.service, action)
                await self._call(lane, action)
        finally:
            lane.task = None
        self._serve(lane)

    def _note(self, service: ServiceKey, action: SorryAction) -> None:
        self._started = self._started | {service} if action is SorryAction.START else self._started - {service}
        self._changed()

    async def _call(self, lane: _Lane, action: SorryAction) -> None:
        """Make one call, then count and report it."""
        began = self._clock.monotonic()
        result = await self._run(lane.command, call_arguments(lane.service, action))
        self._counts[lane.service, action, result.outcome] += 1
        self._changed()
        self._reporter.report(
            EventKind.SORRY_COMMAND,
            virtual_service=lane.name,
            failed=result.outcome is not SorryOutcome.SUCCEEDED,
            command=lane.command.command[0],
            action=action,
            outcome=result.outcome,
            exit_status=result.exit_status,
            signal=result.signal,
            output=result.output,
            error=result.error,
            duration_s=self._clock.monotonic() - began,
        )

    async def _run(self, command: SorryCommand, arguments: tuple[str, ...]) -> _Result:
        """Run the program to its end; at its time limit, kill it with its process group."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                ended = await self._runner.run(
                    Command(
                        argv=[*command.command, *arguments],
                        environment=ENVIRONMENT,
                        user=command.user,
                        output_limit=OUTPUT_LIMIT,
                        leaves=True,
                        limits=OF_A_SERVICE,
                    ),
                    started=lambda _: limit.reschedule(loop.time() + command.timeout_s),
                )
        except RunnerLost:
            return _Result(outcome=SorryOutcome.LOST, error="the process that runs commands has died")
        except OSError as problem:
            if limit.expired():
                return _Result(outcome=SorryOutcome.TIMEOUT, error=f"killed after {command.timeout_s:g} s")
            return _Result(outcome=SorryOutcome.NOT_STARTED, error=problem.strerror or str(problem))
        return _result_of(ended)


def _warn_unknown(service: ServiceKey) -> None:
    log.warning(
        "sorry_command_unknown",
        virtual_service=service,
        consequence="it is not called with stop: an earlier run called it with start, and it is no longer configured",
        remedy="run the command with the argument stop",
    )


def _result_of(ended: Ended) -> _Result:
    line = ended.first_line or None
    if ended.signal is not None:
        return _Result(outcome=SorryOutcome.SIGNAL, signal=ended.signal_name, output=line)
    outcome = SorryOutcome.SUCCEEDED if ended.exit_status == 0 else SorryOutcome.EXIT_STATUS
    return _Result(outcome=outcome, exit_status=ended.exit_status, output=line)
