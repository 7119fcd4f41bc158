"""The agent's side of the runner process (``runner``): starts it, asks it, restarts it, stops it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType

from lvs_agent.one_line import one_line
from lvs_agent.priority_semaphore import PrioritySemaphore

CONCURRENCY = 64
"""Programs that run at once, by default."""
ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
)
"""The variables of a program, by default."""
OUTPUT_LIMIT = 4_096
"""Bytes of output that are kept, by default."""

_LINE_LIMIT = 4_194_304
_LINE_SHOWN = 200
_STOP_S = 1.5
_RUNNER = Path(__file__).with_name("runner.py")


class RunnerLost(Exception):
    """The runner process ended while it ran a command.  The next command starts a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run.  ``user`` None: as the runner's user."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    user: str | None
    output_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: with an exit status or by a signal, whichever is not None."""

    exit_status: int | None
    signal: int | None
    output: str

    @property
    def first_line(self) -> str:
        """The first line of the output that is not blank, 200 characters at most; "?" for what cannot be printed."""
        line = next((line.strip() for line in self.output.splitlines() if line.strip()), "")
        return one_line(line[:_LINE_SHOWN], instead="?")

    @property
    def signal_name(self) -> str | None:
        """The signal as it is known, like SIGKILL; a real-time one by its number."""
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"


class CommandRunner:
    """At most ``concurrency`` programs at a time; the others wait.  There is no process before the first command.

    ``user``: the account for commands without one of their own; None: ``nobody`` where we are root, else our own.
    """

    def __init__(self, *, concurrency: int = CONCURRENCY, user: str | None = None) -> None:
        self._user = user or ("nobody" if os.geteuid() == 0 else None)
        self._semaphore = PrioritySemaphore(concurrency)
        self._ids = count(1)
        self._awaited: dict[int, asyncio.Future[Ended]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def run(self, command: Command, *, started: Callable[[bool], None]) -> Ended:
        """Run a program to its end; a cancelled call kills it with its whole process group.

        ``started`` is called when it is started, with whether it had to wait for that.
        Raises OSError (it cannot be started), RunnerLost.
        """
        waited = not self._semaphore.try_acquire()
        if waited:
            await self._semaphore.acquire()
        identity = next(self._ids)
        try:
            writer = await self._connected()
            answer: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        except BaseException:
            self._semaphore.release()
            raise
        self._awaited[identity] = answer
        # From here on it is released when the runner reports that the program has ended, not before.
        started(waited)
        _send(
            writer,
            {
                "id": identity,
                "argv": list(command.argv),
                "env": dict(command.environment),
                "user": command.user or self._user,
                "limit": command.output_limit,
            },
        )
        try:
            return await answer
        except asyncio.CancelledError:
            _send(writer, {"id": identity, "kill": True})
            raise

    async def close(self) -> None:
        """Stop the runner, which kills what it runs."""
        process, self._process = self._process, None
        if self._writer is not None:
            self._writer.close()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
        if process is not None:
            await _ended(process)

    async def _connected(self) -> asyncio.StreamWriter:
        """The stream to a running runner."""
        async with self._starting:
            if self._writer is None:
                await self._start()
            if self._writer is None:
                raise RunnerLost
            return self._writer

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            try:
                # Isolated and without site: nothing but this file and the standard library.
                self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - must not go through the loop; ours
                    [sys.executable, "-I", "-S", str(_RUNNER), str(descriptor)],
                    pass_fds=(descriptor,),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
        self._listener = asyncio.get_running_loop().create_task(
            self._listen(reader, self._writer, self._process), name="command runner's answers"
        )

    async def _listen(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, process: subprocess.Popen[bytes]
    ) -> None:
        """Pass on answers until the runner ends, then fail all that wait."""
        try:
            with suppress(ConnectionError):
                async for line in reader:
                    self._answered(json.loads(line))
        finally:
            writer.close()
            self._writer = None
            self._lose_all()
        await _ended(process)

    def _answered(self, message: dict[str, object]) -> None:
        answer = self._awaited.pop(int(str(message["id"])))
        self._semaphore.release()
        if not answer.done():
            _settle(answer, message)

    def _lose_all(self) -> None:
        lost, self._awaited = self._awaited, {}
        for answer in lost.values():
            self._semaphore.release()
            if not answer.done():
                answer.set_exception(RunnerLost())


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


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process to end, and kill it if it does not."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _STOP_S
    while process.poll() is None:
        if loop.time() > give_up:
            process.kill()
        await asyncio.sleep(0.01)  # there is no portable way to wait for a process without a thread or the loop
