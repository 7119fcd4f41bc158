"""The agent's side of the starter: forks it, and has it start and kill the other processes."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import pwd
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

from lvs_agent.commands import privileges
from lvs_agent.files import ask_for_files
from lvs_agent.pulse import Pulse
from lvs_agent.workers import starter
from lvs_agent.workers.closed_files import libraries_are_open
from lvs_agent.workers.users import Users, users_here

_OPENS_S = 5.0
"""Most seconds for opening a file."""
_ASK_S = 1.0
"""How often the starter is asked whether it still answers."""
_HUNG_S = 10.0
"""A starter that owes an answer for so long hangs."""
_ENDS_S = 2.0
"""Most seconds for the starter to end, with all that it has started."""


class Process:
    """A process that the starter has started."""

    def __init__(self, pid: int, kill: Callable[[int], None]) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._kill = kill

    def poll(self) -> int | None:
        """Its status as waitpid(2) has it, or None while it runs."""
        return self.ended.result() if self.ended.done() else None

    def kill(self) -> None:
        """Send it SIGKILL, unless it has ended."""
        if not self.ended.done():
            self._kill(self.pid)


class Starter:
    """Made by ``fork`` while the process has one thread and has read nothing.  Everything else is called on the loop.

    ``users``: of the processes.  ``workers_may_import``: their user may read the libraries, which it may not if Python
    is installed for root alone; then a worker has only those that it was started with.
    """

    def __init__(self, end: socket.socket, files: socket.socket, pid: int, users: Users) -> None:
        self.users = users
        self.workers_may_import = users.checks is None or libraries_are_open()
        self.pid = pid
        self._end = end
        self._files = files
        self._opening = threading.Lock()
        self._ids = count(1)
        self._asked: dict[int, asyncio.Future[Process]] = {}
        self._processes: dict[int, Process] = {}
        self._lost: asyncio.Future[str] | None = None
        self._pulse = Pulse(self._ask)

    @classmethod
    def fork(cls, *, readable: Sequence[Path] = ()) -> Self:
        """Fork it.  ``readable``: directories with files that it may open for the agent.  Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        our_files, their_files = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        users = users_here()
        pid = os.fork()
        if pid == 0:
            starter.serve(theirs, their_files, users, readable)
        theirs.close()
        their_files.close()
        ours.settimeout(0)
        our_files.settimeout(_OPENS_S)
        return cls(ours, our_files, pid, users)

    def give_up_privileges(self, *, own: Path) -> None:
        """Keep what writing the table takes, and become the agent's user; the starter does what takes more.

        ``own``: the directory of the agent's files.  Call it while this process has one thread.
        """
        if self.users.agent is None:
            privileges.keep_only(privileges.CAP_NET_ADMIN)
        else:
            _hand_over(own, self.users.agent)
            privileges.become(self.users.agent, keeping=[privileges.CAP_NET_ADMIN])
        ask_for_files(self.open)

    def open(self, path: Path) -> int:
        """Open a file that this process may not read; from any thread.  Raises OSError."""
        with self._opening:
            identity = b"%d" % next(self._ids)
            self._files.send(identity + b" " + os.fsencode(path.absolute()))
            while True:
                answer, descriptors, _, _ = socket.recv_fds(self._files, 64, 1)
                if not answer:
                    raise OSError(errno.ESRCH, "the starter has ended")
                answered, number = answer.split()
                if answered == identity:
                    break
                for late in descriptors:  # for a file that was given up
                    os.close(late)
        if int(number):
            raise OSError(int(number), os.strerror(int(number)))
        return descriptors[0]

    async def lost(self) -> str:
        """Wait until the starter has ended, or hangs; which of the two it is, in words."""
        watching = asyncio.get_running_loop().create_task(self._pulse.watch(_ASK_S, self._look), name="starter's pulse")
        try:
            return await asyncio.shield(self._attached())
        finally:
            watching.cancel()

    async def start(
        self, what: str, descriptors: Sequence[int], options: Mapping[str, object] | None = None
    ) -> Process:
        """Start a process ("worker" or "runner"), which gets copies of ``descriptors``.  Raises OSError."""
        if self._attached().done():
            raise OSError(errno.ESRCH, "the starter has ended")
        identity = next(self._ids)
        answer: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._asked[identity] = answer
        request = json.dumps({"id": identity, "start": what, "options": dict(options or {})}).encode()
        socket.send_fds(self._end, [request], list(descriptors))
        return await answer

    async def start_runner(self, channel: socket.socket) -> Process:
        """Start the runner of commands at the other end of ``channel``.  Raises OSError."""
        return await self.start("runner", [channel.fileno()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def detach(self) -> None:
        """Listen no more; for the end of the loop."""
        if self._lost is not None and self._end.fileno() != -1:
            asyncio.get_running_loop().remove_reader(self._end.fileno())

    def close(self) -> None:
        """End the starter, and with it all that it has started.  It may be called again."""
        if self._end.fileno() != -1:
            ask_for_files(None)
            self._end.close()
            self._files.close()
            self._wait()

    def _ask(self) -> bool:
        self._send({"ping": True})
        return True

    def _look(self, silent_s: float) -> None:
        if silent_s >= _HUNG_S:
            self._lose(f"has not answered for {silent_s:g} s")

    def _attached(self) -> asyncio.Future[str]:
        """Listen from the first use on, because a loop is needed."""
        if self._lost is None:
            loop = asyncio.get_running_loop()
            self._lost = loop.create_future()
            loop.add_reader(self._end.fileno(), self._on_readable)
        return self._lost

    def _on_readable(self) -> None:
        while True:
            try:
                message = self._end.recv(starter.MESSAGE_LIMIT)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._on_end()
                return
            self._take(json.loads(message))

    def _take(self, message: Mapping[str, int | str]) -> None:
        self._pulse.heard()
        match message:
            case {"id": int(identity), "pid": int(pid)}:
                process = self._processes[pid] = Process(pid, self._kill)
                answer = self._asked.pop(identity, None)
                if answer is None or answer.done():
                    process.kill()
                else:
                    answer.set_result(process)
            case {"id": int(identity), "errno": int(number), "message": str(text)}:
                answer = self._asked.pop(identity, None)
                if answer is not None and not answer.done():
                    answer.set_exception(OSError(number, text))
            case {"ended": int(pid), "status": int(status)}:
                if (ended := self._processes.pop(pid, None)) is not None:
                    ended.ended.set_result(status)

    def _kill(self, pid: int) -> None:
        self._send({"kill": pid})

    def _send(self, message: Mapping[str, object]) -> None:
        with suppress(OSError):  # the starter has ended, and everything with it, or it hangs
            self._end.send(json.dumps(message).encode())

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end.fileno())
        self._lose("has ended")

    def _lose(self, what: str) -> None:
        """Expect nothing any more: what it has started ends without its connection to this process, or with it."""
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.done():
                answer.set_exception(OSError(errno.ESRCH, f"the starter {what}"))
        processes, self._processes = self._processes, {}
        for process in processes.values():
            process.ended.set_result(signal.SIGKILL)
        if not self._attached().done():
            self._attached().set_result(what)

    def _wait(self) -> None:
        give_up = time.monotonic() + _ENDS_S
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > give_up:
                try:
                    os.kill(self.pid, signal.SIGKILL)
                except PermissionError:  # it was started as another user; it ends when it goes on
                    return
            time.sleep(0.005)


def _hand_over(directory: Path, user: str) -> None:
    """Give ``user`` what an agent that ran as root has left in its directory, which is made if it is not there."""
    entry = pwd.getpwnam(user)
    directory.mkdir(parents=True, exist_ok=True)
    for path in (directory, *directory.iterdir()):
        status = path.lstat()
        if status.st_uid == 0 and (
            stat.S_ISDIR(status.st_mode) or status.st_nlink == 1
        ):  # else it has a name elsewhere
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
