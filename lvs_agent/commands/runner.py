"""The process that starts the programs of command checks, so that the agent itself never forks.

Run by ``command_runner`` as ``python runner.py DESCRIPTOR``; it uses the standard library alone, so it starts quickly
and stays small.  Over the descriptor (a stream socket) it takes and gives JSON lines:

    {"id": 1, "argv": [...], "env": {...}, "user": "nobody" | null, "limit": 4096}     start a program
    {"id": 1, "kill": true}                                                            kill it with its whole group
    {"id": 1, "exit": 0, "output": "..."} | {"id": 1, "signal": 9, "output": "..."}    it has ended
    {"id": 1, "errno": 2, "message": "..."}                                            it could not be started

Every start is answered exactly once.  When the descriptor reaches its end, everything is killed and the runner ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import resource
import selectors
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field

_READ_SIZE = 65_536
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38
_MAX_DESCRIPTORS = 1_024
_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
_OF_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""Ignored by the interpreter itself; ``subprocess`` restores them for programs."""

_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(slots=True)
class Program:
    """A program that was started.  It leads a session and process group of its own, which bear its number."""

    id: int
    process: subprocess.Popen[bytes]
    limit: int
    output: bytearray = field(default_factory=bytearray)
    at_end: bool = False


class Runner:
    """Everything that runs, and the socket to the agent."""

    def __init__(self, agent: socket.socket) -> None:
        self._agent = agent
        self._received = b""
        self._programs: dict[int, Program] = {}
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
        """Wait once and handle what there is; False when the agent has ended."""
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
            return False  # the agent has closed its end with answers of ours in it that it had not read
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "kill" in request:
                self._kill(request["id"])
            else:
                self._start(request)
        return bool(data)

    def _start(self, request: dict[str, object]) -> None:
        identity, argv, env, user = request["id"], request["argv"], request["env"], request["user"]
        limit = request["limit"]
        if not (isinstance(identity, int) and isinstance(argv, list) and isinstance(env, dict)):
            raise TypeError("malformed request")
        try:
            process = _spawn(argv, env, user if isinstance(user, str) else None)
        except OSError as problem:
            self._send({"id": identity, "errno": problem.errno or 0, "message": problem.strerror or str(problem)})
            return
        except (LookupError, ValueError, subprocess.SubprocessError) as problem:
            self._send({"id": identity, "errno": 0, "message": str(problem)})
            return
        program = Program(identity, process, limit if isinstance(limit, int) else 0)
        self._programs[identity] = program
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self._selector.register(process.stdout, selectors.EVENT_READ, program)

    def _kill(self, identity: int) -> None:
        program = self._programs.get(identity)
        if program is not None:
            _kill_group(program)

    def _reap(self) -> None:
        """Answer for every program that has ended; what it left behind in its group is killed first."""
        for program in list(self._programs.values()):
            # The ended leader is not waited for yet, so its number cannot belong to another group.
            if os.waitid(os.P_PID, program.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill_group(program)
            self._drain(program)
            self._answer(program, program.process.wait())

    def _answer(self, program: Program, status: int) -> None:
        del self._programs[program.id]
        ended = {"exit": status} if status >= 0 else {"signal": -status}
        self._send({"id": program.id, "output": program.output.decode("utf-8", "replace"), **ended})

    def _read_output(self, program: Program) -> None:
        """Take what there is; what is beyond the limit is thrown away, so that the program is not held up."""
        stdout = program.process.stdout
        if stdout is None or program.at_end:
            return
        try:
            data = os.read(stdout.fileno(), _READ_SIZE)
        except BlockingIOError:
            return
        program.output += data[: program.limit - len(program.output)]
        if not data:
            self._close_output(program)

    def _drain(self, program: Program) -> None:
        """Read the rest of an ended program's output, as far as it counts."""
        while not program.at_end and len(program.output) < program.limit:
            before = len(program.output)
            self._read_output(program)
            if len(program.output) == before:
                break
        self._close_output(program)

    def _close_output(self, program: Program) -> None:
        stdout = program.process.stdout
        if stdout is not None and not program.at_end:
            program.at_end = True
            self._selector.unregister(stdout)
            stdout.close()

    def _kill_all(self) -> None:
        for program in self._programs.values():
            _kill_group(program)
        for program in self._programs.values():
            self._close_output(program)
            program.process.wait()

    def _send(self, message: dict[str, object]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the agent has gone; the end of its stream comes next
            self._agent.sendall(json.dumps(message).encode() + b"\n")


def _kill_group(program: Program) -> None:
    with suppress(ProcessLookupError):
        os.killpg(program.process.pid, signal.SIGKILL)


def _spawn(argv: list[str], env: dict[str, str], user: str | None) -> subprocess.Popen[bytes]:
    """Start a program.  Raises OSError, LookupError (no such user), ValueError, subprocess.SubprocessError."""
    identity = _identity(user)
    return subprocess.Popen(  # noqa: S603 - the operator's own argument list, and no shell
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=env,
        start_new_session=True,
        user=None if identity is None else identity.pw_uid,
        group=None if identity is None else identity.pw_gid,
        extra_groups=None if identity is None else [],
        preexec_fn=_in_child,  # noqa: PLW1509 - this process has one thread
    )


def _identity(user: str | None) -> pwd.struct_passwd | None:
    """The account that the program runs as; None for our own."""
    if user is None or user == pwd.getpwuid(os.geteuid()).pw_name:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise LookupError(f"no such user: {user}") from None


def _in_child() -> None:
    """Between fork and exec, after the change of user (which would undo it): die with the runner, heed signals."""
    signal.set_wakeup_fd(-1)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit_ourselves() -> None:
    """Limits that every program inherits: no core files, no new privileges through set-uid files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def main(descriptor: int) -> None:
    """Serve the agent at the other end of ``descriptor``."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)  # the agent decides when this process ends
    for number in signal.valid_signals() - {*_IGNORED, *_OF_PYTHON}:
        if signal.getsignal(number) is signal.SIG_IGN:  # inherited by the agent; programs must not
            signal.signal(number, signal.SIG_DFL)
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - the standard library's signature
    _limit_ourselves()
    with socket.socket(fileno=descriptor) as agent:
        Runner(agent).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
