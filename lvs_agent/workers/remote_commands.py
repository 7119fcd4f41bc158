"""Commands of checks, as a worker runs them: it asks the agent, which alone knows and starts the programs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from itertools import count

from lvs_agent.commands.command_runner import Command, Ended, RunnerLost
from lvs_agent.model.check import CheckId
from lvs_agent.workers.protocol import Answer, Call, Cancel, Started


class RemoteCommands:
    """The commands of a worker's checks.

    ``number_of`` gives the number of a check, None if the worker no longer has it; ``say`` sends a message.
    """

    running = waiting = 0
    """The agent counts them."""

    def __init__(self, *, number_of: Callable[[CheckId], int | None], say: Callable[[Call | Cancel], object]) -> None:
        self._number_of = number_of
        self._say = say
        self._ids = count()
        self._calls: dict[int, tuple[Callable[[bool], None], asyncio.Future[Ended]]] = {}

    def of(self, check: CheckId) -> CommandOfCheck:
        """Runs the command of ``check``."""
        return CommandOfCheck(self, check)

    async def call(self, check: CheckId, *, started: Callable[[bool], None], doubtful: bool, held_at: float) -> Ended:
        """See ``CommandRunner.run``."""
        number = self._number_of(check)
        if number is None:
            raise RunnerLost
        call = next(self._ids)
        answer: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._calls[call] = started, answer
        waited_s = None if held_at == -math.inf else max(0.0, time.monotonic() - held_at)
        self._say(Call(call, number, doubtful, waited_s))
        try:
            return await answer
        except asyncio.CancelledError:
            if self._calls.pop(call, None) is not None:
                self._say(Cancel(call))
            raise

    def started(self, message: Started) -> None:
        """The agent has started the program."""
        if (call := self._calls.get(message.call)) is not None:
            call[0](message.waited)

    def answered(self, message: Answer) -> None:
        """The program has ended, or could not be started."""
        _, answer = self._calls.pop(message.call, (None, None))
        if answer is None or answer.done():
            return
        match message.ended:
            case None:
                answer.set_exception(RunnerLost())
            case (number, text):
                answer.set_exception(OSError(number, text))
            case (exit_status, signal, output):
                answer.set_result(Ended(exit_status=exit_status, signal=signal, output=output))

    async def close(self) -> None:
        """Nothing is left open here: the agent kills what runs for a worker that has ended."""


class CommandOfCheck:
    """Runs the command of one check; the agent knows itself which that is."""

    def __init__(self, commands: RemoteCommands, check: CheckId) -> None:
        self._commands = commands
        self._check = check

    async def run(
        self,
        _command: Command,
        *,
        started: Callable[[bool], None],
        doubtful: bool = False,
        held_at: float = -math.inf,
    ) -> Ended:
        """See ``CommandRunner.run``."""
        return await self._commands.call(self._check, started=started, doubtful=doubtful, held_at=held_at)
