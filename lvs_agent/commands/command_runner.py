"""The agent's side of the runner process (``runner``): starts it, sends it requests, restarts it and stops it."""

from __future__ import annotations

import asyncio
import errno
import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol, Self

from lvs_agent.commands.command import Command, Ended
from lvs_agent.log import get_logger
from lvs_agent.model.check import CheckId
from lvs_agent.priority_semaphore import PrioritySemaphore
from lvs_agent.pulse import Pulse

log = get_logger()

CONCURRENCY = 64
"""Most programs that run at the same time, by default."""

ASK_S = 0.25
"""How often the runner is asked whether it still answers, while programs run."""
SILENT_S = 0.5
"""A runner that owes an answer for so long is silent: what its programs do is not known."""
HUNG_S = 5.0
"""A runner that owes an answer for so long is killed."""

_LINE_LIMIT = 4_194_304
_STOP_S = 1.5
_PACKAGES = str(Path(__file__).parents[2])
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from lvs_agent.commands.runner import main; main(int(sys.argv[2]))"


def runner_arguments(descriptor: int) -> list[str]:
    """How the runner is started, with its end of the socket: isolated and without site, so that only this package and
    the standard library are imported.
    """
    return [sys.executable, "-I", "-S", "-c", _RUN, _PACKAGES, str(descriptor)]


class RunnerLost(Exception):
    """The runner, or the process of it that waits for the program, ended first.  The next command gets a new one."""


class RunnerProcess(Protocol):
    """A runner that was started."""

    def poll(self) -> int | None:
        """Its status; None while it runs."""

    def kill(self) -> None:
        """Send it SIGKILL."""


def _tell_nobody(_silent: bool) -> None:  # noqa: FBT001 - its only argument
    """For a command whose caller has gone, or does not care."""


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A program that runs: its end, and whom to tell that the runner has fallen silent, or answers again."""

    end: asyncio.Future[Ended]
    silent: Callable[[bool], object]


StartRunner = Callable[[socket.socket], Awaitable[RunnerProcess]]
"""Starts the runner with the socket that is its end.  Raises OSError."""


async def start_runner(channel: socket.socket) -> RunnerProcess:
    """Start the runner as a child of this process."""
    descriptor = channel.fileno()
    return subprocess.Popen(  # noqa: ASYNC220, S603 - must not go through the loop; ours
        runner_arguments(descriptor), pass_fds=(descriptor,), stdin=subprocess.DEVNULL, start_new_session=True
    )


class CommandRunner:
    """Runs at most ``concurrency`` programs at a time; the others wait.  The first command starts the process.

    A quarter of the slots is for commands that did not hang the last time: however many hang, the others run at once.

    ``user``: the account for commands without their own; None: ``nobody`` if the agent is root, else the agent's.
    ``start``: how the runner is started.
    """

    def __init__(
        self, *, concurrency: int = CONCURRENCY, user: str | None = None, start: StartRunner = start_runner
    ) -> None:
        self._user = user or ("nobody" if os.geteuid() == 0 else None)
        self._semaphore = PrioritySemaphore(concurrency, reserved=concurrency // 4)
        self._ids = count(1)
        self._awaited: dict[int, _Awaited] = {}
        self._pulse = Pulse(self._ask)
        self._is_silent = False
        self._start_process = start
        self._process: RunnerProcess | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many commands run.  May be read from any thread."""
        return len(self._awaited)

    @property
    def waiting(self) -> int:
        """How many commands wait for a slot.  May be read from any thread."""
        return self._semaphore.waiting

    def of(self, _check: CheckId) -> Self:
        """The runner itself, which runs the commands of all checks."""
        return self

    async def run(
        self,
        command: Command,
        *,
        started: Callable[[bool], object],
        silent: Callable[[bool], object] = _tell_nobody,
        doubtful: bool = False,
        held_at: float = -math.inf,
    ) -> Ended:
        """Run a program to its end.  If the call is cancelled, the program is killed with all that it has started.

        ``started`` is called when the program is started; its argument says whether the program had to wait.
        ``silent`` is called with True when the runner no longer answers, so that nothing is known of the program, and
        with False when it does again.
        ``doubtful``: the last run hung.  ``held_at``: the time of the last run, seconds of the monotonic clock; the
        one that ran longest ago comes first.  Raises OSError if it cannot be started, and RunnerLost.
        """
        waited = not self._semaphore.try_acquire(low_priority=doubtful)
        if waited:
            await self._semaphore.acquire(low_priority=doubtful, held_at=held_at)
        identity = next(self._ids)
        try:
            writer = await self._connected()
            answer: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        except BaseException:
            self._semaphore.release()
            raise
        self._awaited[identity] = _Awaited(answer, silent)
        # From here on, the place is released only when the runner reports the end of the program.
        started(waited)
        if self._is_silent:
            silent(True)  # noqa: FBT003 - the state is the message
        _send(
            writer,
            {
                "id": identity,
                "argv": list(command.argv),
                "env": dict(command.environment),
                "user": command.user or self._user,
                "limit": command.output_limit,
                "leaves": command.leaves,
                "limits": command.limits._asdict(),
            },
        )
        try:
            return await answer
        except asyncio.CancelledError:
            if identity in self._awaited:
                self._awaited[identity] = _Awaited(answer, _tell_nobody)
            _send(writer, {"id": identity, "kill": True})
            raise

    async def close(self) -> None:
        """Stop the runner, which kills its programs."""
        if self._writer is not None:
            self._writer.close()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
        process, self._process = self._process, None
        if process is not None:  # the listener was cancelled before it began
            self._see_to_the_end_of(process)
        while self._ending:
            await asyncio.wait(self._ending)

    async def _connected(self) -> asyncio.StreamWriter:
        """The stream to the runner, which is started if necessary."""
        async with self._starting:
            if self._writer is None:
                await self._start()
            if self._writer is None:
                raise RunnerLost
            return self._writer

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        process: RunnerProcess | None = None
        try:
            with theirs:
                process = await self._start_process(theirs)
            reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
        except BaseException:
            ours.close()
            if process is not None:
                self._see_to_the_end_of(process)
            raise
        self._process = process
        self._listener = asyncio.get_running_loop().create_task(
            self._listen(reader, self._writer, process), name="command runner's answers"
        )

    def _see_to_the_end_of(self, process: RunnerProcess) -> None:
        """Wait for it and kill it if need be, whoever is cancelled meanwhile; ``close`` waits for that."""
        task = asyncio.get_running_loop().create_task(_ended(process), name="end of the command runner")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, process: RunnerProcess) -> None:
        """Pass on answers until the runner ends, then fail all calls that wait."""
        self._pulse.heard()
        watching = asyncio.get_running_loop().create_task(
            self._pulse.watch(ASK_S, self._look), name="command runner's pulse"
        )
        try:
            with suppress(ConnectionError):
                async for line in reader:
                    self._answered(json.loads(line))
        finally:
            watching.cancel()
            writer.close()
            self._writer = self._process = None
            self._lose_all()
            self._see_to_the_end_of(process)

    def _answered(self, message: dict[str, object]) -> None:
        self._pulse.heard()
        self._set_silent(silent=False)
        if "pong" in message:
            return
        end = self._awaited.pop(int(str(message["id"]))).end
        self._semaphore.release()
        if not end.done():
            _settle(end, message)

    def _lose_all(self) -> None:
        lost, self._awaited = self._awaited, {}
        self._is_silent = False
        for one in lost.values():
            self._semaphore.release()
            if not one.end.done():
                one.end.set_exception(RunnerLost())

    # --- whether the runner answers -------------------------------------------------------------------------------

    def _ask(self) -> bool:
        if self._writer is None or not self._awaited:
            return False
        _send(self._writer, {"ping": True})
        return True

    def _look(self, silent_s: float) -> None:
        self._set_silent(silent=silent_s >= SILENT_S)
        if silent_s >= HUNG_S and self._process is not None:
            log.warning("command_runner_killed", silent_s=silent_s, consequence="the next command starts another one")
            self._process.kill()

    def _set_silent(self, *, silent: bool) -> None:
        if silent is not self._is_silent:
            self._is_silent = silent
            for one in self._awaited.values():
                one.silent(silent)


def _settle(answer: asyncio.Future[Ended], message: dict[str, object]) -> None:
    match message:
        case {"errno": int(number), "message": str(text)}:
            answer.set_exception(OSError(number or errno.EPERM, text))
        case {"exit": int(status), "output": str(output)}:
            answer.set_result(Ended(exit_status=status, signal=None, output=output))
        case {"signal": int(number), "output": str(output)}:
            answer.set_result(Ended(exit_status=None, signal=number, output=output))
        case _:
            answer.set_exception(RunnerLost())


def _send(writer: asyncio.StreamWriter, message: dict[str, object]) -> None:
    if not writer.is_closing():
        writer.write(json.dumps(message).encode() + b"\n")


async def _ended(process: RunnerProcess) -> None:
    """Wait for the process to end, and kill it if it does not."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _STOP_S
    while process.poll() is None:
        if loop.time() > give_up:
            process.kill()
        await asyncio.sleep(0.01)  # there is no portable way to wait for a process without a thread or the loop
