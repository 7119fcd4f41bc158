"""The process that starts the programs of command checks, so that the agent itself never forks.

``command_runner`` starts it.  It uses only the standard library, so it starts quickly and stays small.  It receives and
sends JSON lines on a stream socket:

    {"id": 1, "argv": [...], "env": {...}, "user": "nobody" | null, "limit": 4096,
     "leaves": false, "limits": {"cpu_s": 60}}                                         start a program
    {"id": 1, "kill": true}                                                            kill all that it has started
    {"id": 1, "exit": 0, "output": "..."} | {"id": 1, "signal": 9, "output": "..."}    it has ended
    {"id": 1, "errno": 2, "message": "..."}                                            it could not be started
    {"id": 1, "lost": true}                                                            its keeper was killed
    {"ping": true} | {"pong": true}                                                    the runner still answers

Every start and every ping is answered exactly once.  When the socket reaches its end, everything is killed and the
runner ends.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lvs_agent.commands.keeper import HELD_BACK, Program, keep
from lvs_agent.commands.privileges import OF_THE_RUNNER, Limits, keep_only

_READ_SIZE = 65_536
_OF_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""Ignored by the interpreter itself; ``subprocess`` restores them for programs."""


@dataclass(slots=True)
class Kept:
    """A program that was started.  ``keeper``: the process that waits for it; ``report``: the pipe on which the keeper
    tells how the program ended.
    """

    id: int
    keeper: int
    output: int
    report: int
    limit: int
    said: bytearray = field(default_factory=bytearray)
    at_end: bool = False


class Runner:
    """The running programs, and the socket to the agent."""

    def __init__(self, agent: socket.socket) -> None:
        self._agent = agent
        self._received = b""
        self._programs: dict[int, Kept] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until the agent ends."""
        wake_read, wake_write = socket.socketpair()
        for end in (wake_read, wake_write):
            os.set_blocking(end.fileno(), False)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(self._agent, selectors.EVENT_READ)
        self._selector.register(wake_read, selectors.EVENT_READ)
        try:
            while self._round(wake_read):
                pass
        finally:
            self._kill_all()

    def _round(self, wake: socket.socket) -> bool:
        """Wait once and handle all events; False when the agent has ended."""
        for key, _ in self._selector.select():
            if key.fileobj is self._agent:
                if not self._read_requests():
                    return False
            elif key.fileobj is wake:
                wake.recv(_READ_SIZE)
                self._reap()
            else:
                self._read_output(key.data)
        return True

    def _read_requests(self) -> bool:
        try:
            data = self._agent.recv(_READ_SIZE)
        except ConnectionResetError:
            return False  # the agent has closed its end before it read all answers
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "ping" in request:
                self._send({"pong": True})
            elif "kill" in request:
                self._kill(request["id"])
            else:
                self._start(request)
        return bool(data)

    def _start(self, request: dict[str, Any]) -> None:
        program = Program(
            argv=request["argv"],
            environment=request["env"],
            user=request["user"],
            leaves=request["leaves"],
            limits=Limits(**request["limits"]),
        )
        try:
            self._programs[request["id"]] = self._forked(request["id"], program, limit=request["limit"])
        except OSError as problem:
            self._send({"id": request["id"], "errno": problem.errno or 0, "message": problem.strerror or str(problem)})

    def _forked(self, identity: int, program: Program, *, limit: int) -> Kept:
        """Fork the keeper of ``program``.  Raises OSError."""
        output, output_end = os.pipe()
        report, report_end = os.pipe()
        try:
            keeper = os.fork()
        except OSError:
            for one in (output, output_end, report, report_end):
                os.close(one)
            raise
        if keeper == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _close_all_but(output_end, report_end)
            keep(program, output=output_end, report=lambda said: os.write(report_end, json.dumps(said).encode()))
        os.close(output_end)
        os.close(report_end)
        kept = Kept(identity, keeper, output, report, limit)
        os.set_blocking(output, False)
        self._selector.register(output, selectors.EVENT_READ, kept)
        return kept

    def _kill(self, identity: int) -> None:
        kept = self._programs.get(identity)
        if kept is not None:
            os.kill(kept.keeper, signal.SIGTERM)

    def _reap(self) -> None:
        """Answer for every program whose keeper has ended, and with it all that the program has started."""
        for kept in list(self._programs.values()):
            if os.waitpid(kept.keeper, os.WNOHANG)[0]:
                self._drain(kept)
                self._answer(kept)

    def _answer(self, kept: Kept) -> None:
        del self._programs[kept.id]
        with os.fdopen(kept.report, "rb") as said:
            report = json.loads(said.read() or b'{"lost": true}')
        if "exit" in report or "signal" in report:
            report["output"] = kept.said.decode("utf-8", "replace")
        self._send({"id": kept.id, **report})

    def _read_output(self, kept: Kept) -> None:
        """Read the available output; discard it beyond the limit, so that the program is not blocked."""
        if kept.at_end:
            return
        try:
            data = os.read(kept.output, _READ_SIZE)
        except BlockingIOError:
            return
        kept.said += data[: kept.limit - len(kept.said)]
        if not data:
            self._close_output(kept)

    def _drain(self, kept: Kept) -> None:
        """Read the rest of an ended program's output, up to the limit."""
        while not kept.at_end and len(kept.said) < kept.limit:
            before = len(kept.said)
            self._read_output(kept)
            if len(kept.said) == before:
                break
        self._close_output(kept)

    def _close_output(self, kept: Kept) -> None:
        if not kept.at_end:
            kept.at_end = True
            self._selector.unregister(kept.output)
            os.close(kept.output)

    def _kill_all(self) -> None:
        for kept in self._programs.values():
            os.kill(kept.keeper, signal.SIGTERM)
        for kept in self._programs.values():
            self._close_output(kept)
            os.waitpid(kept.keeper, 0)

    def _send(self, message: dict[str, object]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the agent has ended; the end of its stream follows
            self._agent.sendall(json.dumps(message).encode() + b"\n")


def _close_all_but(*kept: int) -> None:
    """Close all descriptors except the first three and these."""
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in kept:
            with suppress(OSError):  # the descriptor of the listing itself
                os.close(descriptor)


def main(descriptor: int) -> None:
    """Serve the agent at the other end of ``descriptor``."""
    for number in HELD_BACK:
        signal.signal(number, signal.SIG_IGN)  # the agent decides when this process ends
    # A keeper may be told to end before it listens: a signal that is ignored waits only if it is blocked.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    for number in signal.valid_signals() - {*HELD_BACK, *_OF_PYTHON}:
        if signal.getsignal(number) is signal.SIG_IGN:  # inherited by the agent; programs must not
            signal.signal(number, signal.SIG_DFL)
    keep_only(*OF_THE_RUNNER)
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - the standard library's signature
    with socket.socket(fileno=descriptor) as agent:
        Runner(agent).run()
