"""The process that starts and ends the others: check workers and the runner of commands.

The agent forks it before it reads anything, and keeps the only other end of its socket: when that is closed, the
starter kills what it has started, and ends.  It is small and parses nothing but the messages below, so it may keep the
privileges that the agent gives up: to become another user, to end processes of other users, and to open ICMP sockets.

Messages are JSON objects on a SOCK_SEQPACKET socket, with descriptors beside them:

    {"id": 1, "start": "worker", "options": {...}}  + socket, standard error
    {"id": 2, "start": "runner"}                    + socket
    {"kill": 4711}
    {"ping": true}                                    answered by {"pong": true}
    {"id": 1, "pid": 4711} | {"id": 1, "errno": 11, "message": "..."}
    {"ended": 4711, "status": 9}                      as waitpid(2) has it

On a second socket the agent sends a number and the path of a file that it may not read, with a space between.  The
answer is that number and an errno, or 0 with the descriptor of the file, if it is below one of the directories that
were fixed when the starter was forked.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import selectors
import signal
import socket
import stat
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from lvs_agent.checks.engine import libraries
from lvs_agent.checks.net.pinger import Pinger
from lvs_agent.commands import privileges
from lvs_agent.commands.command_runner import runner_arguments
from lvs_agent.files import without_links
from lvs_agent.workers import worker
from lvs_agent.workers.users import Users

MESSAGE_LIMIT = 1 << 16
OF_THE_STARTER = (
    privileges.CAP_DAC_READ_SEARCH,
    privileges.CAP_KILL,
    privileges.CAP_NET_RAW,
    privileges.CAP_SETGID,
    privileges.CAP_SETUID,
)
"""To open files, to end processes of other users, for ICMP sockets, and to become other users."""
_KILLED_AFTER_S = 1.5
"""How long the runner may take to end its programs, when the agent has ended."""
_LEFT_TO_THE_AGENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def serve(agent: socket.socket, files: socket.socket, users: Users, readable: Sequence[Path]) -> NoReturn:
    """Serve the agent at the other ends, in a process that was just forked from it."""
    status = 1
    try:
        _settle_in(agent, files, name="lvs-starter")
        privileges.keep_only(*OF_THE_STARTER)
        Starter(agent, files, users, readable).run()
        status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not return
        traceback.print_exc()
    finally:
        os._exit(status)


class Starter:
    """The processes that were started, and the socket to the agent."""

    def __init__(self, agent: socket.socket, files: socket.socket, users: Users, readable: Sequence[Path]) -> None:
        self._agent = agent
        self._files = files
        self._users = users
        self._readable = [without_links(path) for path in readable]
        self._children: set[int] = set()

    def run(self) -> None:
        """Serve until the agent ends, then end everything."""
        gc.collect()
        gc.freeze()  # a collection in a worker would write to every page that it shares
        wake_read, wake_write = socket.socketpair()
        for end in (wake_read, wake_write):
            end.settimeout(0)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._agent, selectors.EVENT_READ)
            selector.register(self._files, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is wake_read:
                        wake_read.recv(MESSAGE_LIMIT)
                        self._reap()
                    elif key.fileobj is self._files:
                        self._open_one()
                    elif not self._serve_one():
                        self._end_all()
                        return

    def _serve_one(self) -> bool:
        """Carry out one message; False when the agent has ended."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._agent, MESSAGE_LIMIT, 2)
        except ConnectionError:
            return False
        if not message:
            return False
        try:
            request = json.loads(message)
            if "ping" in request:
                self._say({"pong": True})
            elif "kill" in request:
                self._kill(request["kill"])
            else:
                self._start(request, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _start(self, request: dict[str, Any], descriptors: Sequence[int]) -> None:
        become = {"worker": self._become_worker, "runner": self._become_runner}[request["start"]]
        try:
            child = os.fork()
        except OSError as problem:
            self._say({"id": request["id"], "errno": problem.errno or 0, "message": problem.strerror or str(problem)})
            return
        if child == 0:
            _as_child(become, descriptors, request.get("options", {}))
        self._children.add(child)
        self._say({"id": request["id"], "pid": child})

    def _become_worker(self, descriptors: Sequence[int], options: dict[str, Any]) -> None:
        channel_descriptor, log = descriptors
        os.dup2(log, 1)
        os.dup2(log, 2)
        channel = socket.socket(fileno=channel_descriptor)
        _settle_in(channel, name="lvs-check")
        pinger = Pinger.with_sockets()
        libraries.load_kinds(options["kinds"], tls=options["tls"])  # its user need not be able to read where they are
        if self._users.checks is not None:
            privileges.become(self._users.checks)
        privileges.give_up_privileges()
        _end_with(os.getppid())
        worker.run(channel, thread_concurrency=options["thread_concurrency"], pinger=pinger)

    @staticmethod
    def _become_runner(descriptors: Sequence[int], _options: dict[str, Any]) -> None:
        (channel,) = descriptors
        os.set_inheritable(channel, True)  # noqa: FBT003 - the standard library's signature
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        privileges.hand_on(*privileges.OF_THE_RUNNER)
        os.execv(sys.executable, runner_arguments(channel))  # noqa: S606 - no shell, our own program

    def _open_one(self) -> None:
        """Open a file for the agent, and answer with its descriptor or with an errno."""
        with suppress(ConnectionError):  # the agent has ended; the end of its messages follows
            if not (message := self._files.recv(MESSAGE_LIMIT)):
                return
            identity, _, name = message.partition(b" ")
            try:
                descriptor = _opened(Path(os.fsdecode(name)), below=self._readable)
            except OSError as problem:
                self._files.send(b"%s %d" % (identity, problem.errno or errno.EPERM))
                return
            except ValueError:
                self._files.send(b"%s %d" % (identity, errno.EINVAL))
                return
            try:
                socket.send_fds(self._files, [b"%s 0" % identity], [descriptor])
            finally:
                os.close(descriptor)

    def _kill(self, child: int) -> None:
        if child in self._children:
            os.kill(child, signal.SIGKILL)

    def _reap(self) -> None:
        for child in list(self._children):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                self._children.discard(child)
                self._say({"ended": child, "status": status})

    def _say(self, message: dict[str, object]) -> None:
        with suppress(OSError):  # the agent has ended; the end of its messages follows
            self._agent.send(json.dumps(message).encode())

    def _end_all(self) -> None:
        """Let the runner end its programs, which it does when the agent has ended; kill what is left then."""
        give_up = time.monotonic() + _KILLED_AFTER_S
        while self._children and time.monotonic() < give_up:
            self._reap()
            time.sleep(0.01)
        for child in self._children:
            os.kill(child, signal.SIGKILL)


def _as_child(
    become: Callable[[Sequence[int], dict[str, Any]], None], descriptors: Sequence[int], options: dict[str, Any]
) -> NoReturn:
    status = 1
    try:
        become(descriptors, options)
        status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not return
        traceback.print_exc()
    finally:
        os._exit(status)


def _opened(path: Path, *, below: Sequence[Path]) -> int:
    """The descriptor of the file ``path``, open for reading, if it is really in one of the directories ``below``.

    Raises OSError, and ValueError if the path has a NUL.
    """
    real = without_links(path)
    if not any(real.is_relative_to(directory) for directory in below):
        raise PermissionError(errno.EACCES, "not in a directory of the configuration")
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PermissionError(errno.EACCES, "not a file")
    return descriptor


def _settle_in(*channels: socket.socket, name: str) -> None:
    """Be a process of its own: no descriptor of the parent but ``channels``, and no signal meant for the agent."""
    for number in _LEFT_TO_THE_AGENT:
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()
    kept = [channel.fileno() for channel in channels]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in kept:
            with suppress(OSError):  # the descriptor of the listing itself
                os.close(descriptor)
    privileges.set_name(name)


def _end_with(parent: int) -> None:
    """End when the starter ends."""
    privileges.end_with_parent()
    if os.getppid() != parent:
        os._exit(1)
