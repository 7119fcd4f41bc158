"""Commands of checks, as a worker runs them: it asks the agent, which alone knows and starts the programs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from lvs_agent.commands.command import Command, Ended
from lvs_agent.commands.command_runner import ASK_S, SILENT_S, RunnerLost
from lvs_agent.model.check import CheckId
from lvs_agent.pulse import Pulse
from lvs_agent.workers.protocol import Answer, Call, Cancel, Ping, Silent, Started


@dataclass(slots=True)
class _Call:
    """A call that was made: whom to tell of its start, that nothing is known of it, and of its end."""

    started: Callable[[bool], object]
    silent: Callable[[bool], object]
    answer: asyncio.Future[Ended]
    is_started: bool = False
    is_runner_silent: bool = False


class RemoteCommands:
    """The commands of a worker's checks.

    ``number_of`` gives the number of a check, None if the worker no longer has it; ``say`` sends a message.
    """

    running = waiting = 0
    """The agent counts them."""

    def __init__(
        self, *, number_of: Callable[[CheckId], int | None], say: Callable[[Call | Cancel | Ping], object]
    ) -> None:
        self._number_of = number_of
        self._say = say
        self._ids = count()
        self._calls: dict[int, _Call] = {}
        self._pulse = Pulse(self._ask)
        self._is_agent_silent = False

    def of(self, check: CheckId) -> CommandOfCheck:
        """Runs the command of ``check``."""
        return CommandOfCheck(self, check)

    async def call(
        self,
        check: CheckId,
        *,
        started: Callable[[bool], object],
        silent: Callable[[bool], object],
        doubtful: bool,
        held_at: float,
    ) -> Ended:
        """See ``CommandRunner.run``."""
        number = self._number_of(check)
        if number is None:
            raise RunnerLost
        call = next(self._ids)
        answer: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._calls[call] = _Call(started, silent, answer)
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
        self.heard()
        if (call := self._calls.get(message.call)) is not None:
            call.is_started = True
            call.started(message.waited)

    def silent(self, message: Silent) -> None:
        """The runner does not answer, or does again."""
        self.heard()
        if (call := self._calls.get(message.call)) is not None:
            call.is_runner_silent = message.silent
            call.silent(message.silent)

    def answered(self, message: Answer) -> None:
        """The program has ended, or could not be started."""
        self.heard()
        call = self._calls.pop(message.call, None)
        if call is None or call.answer.done():
            return
        answer = call.answer
        match message.ended:
            case None:
                answer.set_exception(RunnerLost())
            case (number, text):
                answer.set_exception(OSError(number, text))
            case (exit_status, signal, output):
                answer.set_result(Ended(exit_status=exit_status, signal=signal, output=output))

    # --- whether the agent answers --------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Notice when the agent no longer answers, until cancelled."""
        await self._pulse.watch(ASK_S, lambda silent_s: self._set_agent_silent(silent=silent_s >= SILENT_S))

    def heard(self) -> None:
        """The agent has said something about commands."""
        self._pulse.heard()
        self._set_agent_silent(silent=False)

    def _ask(self) -> bool:
        if self._calls:
            self._say(Ping())
        return bool(self._calls)

    def _set_agent_silent(self, *, silent: bool) -> None:
        if silent is self._is_agent_silent:
            return
        self._is_agent_silent = silent
        for call in self._calls.values():
            if call.is_started and not call.is_runner_silent:
                call.silent(silent)

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
        started: Callable[[bool], object],
        silent: Callable[[bool], object],
        doubtful: bool = False,
        held_at: float = -math.inf,
    ) -> Ended:
        """See ``CommandRunner.run``."""
        return await self._commands.call(
            self._check, started=started, silent=silent, doubtful=doubtful, held_at=held_at
        )
