"""Runs the commands of checks for the workers, which can name only a check: the agent alone knows its program."""

from __future__ import annotations

import asyncio
import errno
import math
import time

from lvs_agent.checks.kinds import checkers
from lvs_agent.commands.command import Command
from lvs_agent.commands.command_runner import CommandRunner, RunnerLost
from lvs_agent.model.check import CheckSpec
from lvs_agent.model.workers import LossCause
from lvs_agent.workers.link import Link
from lvs_agent.workers.protocol import Answer, Call, Silent, Started


class CommandCalls:
    """The calls that run, by worker and number."""

    def __init__(self, runner: CommandRunner) -> None:
        self._runner = runner
        self._tasks: dict[Link, dict[int, asyncio.Task[None]]] = {}

    def call(self, link: Link, call: Call, spec: CheckSpec) -> None:
        """Run the command of a check, one at a time for each of them."""
        tasks = self._tasks.setdefault(link, {})
        command_of = checkers()[spec.kind].command_of
        if command_of is None or call.call in tasks or any(task.get_name() == spec.id for task in tasks.values()):
            link.end(LossCause.INVALID, f"a call that no worker makes, for a check of kind {spec.kind}")
            return
        task = asyncio.get_running_loop().create_task(self._run(link, call, command_of(spec.target)), name=spec.id)
        tasks[call.call] = task
        task.add_done_callback(lambda _: self._forget(link, call.call, task))

    def cancel(self, link: Link, call: int) -> None:
        """Kill the program of a call, unless it has ended."""
        task = self._tasks.get(link, {}).pop(call, None)
        if task is not None:
            task.cancel()

    def cancel_all(self, link: Link) -> None:
        """Kill the programs of a worker that has ended."""
        for task in self._tasks.pop(link, {}).values():
            task.cancel()

    def _forget(self, link: Link, call: int, task: asyncio.Task[None]) -> None:
        tasks = self._tasks.get(link, {})
        if tasks.get(call) is task:
            del tasks[call]

    async def _run(self, link: Link, call: Call, command: Command) -> None:
        held_at = -math.inf if call.waited_s is None else time.monotonic() - call.waited_s
        try:
            ended = await self._runner.run(
                command,
                started=lambda waited: link.send(Started(call.call, waited)),
                silent=lambda silent: link.send(Silent(call.call, silent)),
                doubtful=call.doubtful,
                held_at=held_at,
            )
        except RunnerLost:
            link.send(Answer(call.call, None))
        except OSError as problem:
            link.send(Answer(call.call, (problem.errno or errno.EPERM, problem.strerror or str(problem))))
        else:
            link.send(Answer(call.call, (ended.exit_status, ended.signal, ended.output)))
