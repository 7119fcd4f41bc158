"""Starting the agent, and waiting until it is at work.

The agent tells when it serves through the notification protocol of systemd (sd_notify(3)): the starter is its service
manager for that long.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from lvs_agent.errors import StartError
from lvs_agent.ldirectord.command.configuration import format_options
from lvs_agent.ldirectord.command.instance import Record, write
from lvs_agent.ldirectord.command.service_context import ServiceContext

_POLL_S = 0.05
_READY = re.compile(r"^STATUS=.* (\S+)$", re.MULTILINE)
_LAST_LINES = 5
# -P: whoever is root may be in any directory, and no program is to come from there.
_PROGRAM = (sys.executable, "-P", "-m", "lvs_agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``log``: the file that the agent's log is appended to, or None for the starter's own standard error."""

    config: Path
    log: Path | None
    context: ServiceContext


class Launch:
    """An agent that was just started.  ``address`` is where it answers: None until it serves."""

    def __init__(self, *, process: subprocess.Popen[bytes], listener: socket.socket, pid_file: int, plan: Plan) -> None:
        self.process = process
        self.address: str | None = None
        self._listener = listener
        self._pid_file = pid_file
        self._record = Record(pid=process.pid, config=str(plan.config), log=str(plan.log or ""), address=None)
        write(pid_file, self._record)

    def wait(self, *, seconds: float) -> bool:
        """Wait until it has read the kernel's table and serves; False where it ends first, or takes longer."""
        give_up = time.monotonic() + seconds
        ended = False
        while self.address is None and not ended and time.monotonic() < give_up:
            ended = self.process.poll() is not None
            self._listen()
        return self.address is not None

    def _listen(self) -> None:
        try:
            said = self._listener.recv(65_536).decode(errors="replace")
        except TimeoutError:
            return
        if "READY=1" in said.splitlines() and (match := _READY.search(said)):
            self.address = match[1]
            write(self._pid_file, replace(self._record, address=self.address))


@contextmanager
def launched(plan: Plan, *, pid_file: int) -> Iterator[Launch]:
    """Start the agent as a daemon that inherits ``pid_file``; within the block it can be waited for, and it goes on
    after the block.

    Raises StartError where it cannot be started.  ``pid_file`` is closed here.
    """
    try:
        with (
            TemporaryDirectory(prefix="lvs-ldirectord-") as directory,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
        ):
            listener.bind(str(Path(directory, "notify")))
            listener.settimeout(_POLL_S)
            process = _spawn(plan, pid_file=pid_file, notify=listener.getsockname())
            yield Launch(process=process, listener=listener, pid_file=pid_file, plan=plan)
    finally:
        os.close(pid_file)


def check(plan: Plan) -> tuple[int, str]:
    """The exit code of ``lvs-agent check-config``, and what it says of a configuration that cannot be used."""
    form = format_options(plan.config)
    command = (*_PROGRAM, "check-config", "--config", str(plan.config), *form)
    done = subprocess.run(  # noqa: S603 - the program is ourselves, and there is no shell
        command, env=plan.context.environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def last_words(log: Path, *, since: int) -> tuple[str, ...]:
    """What an agent that has ended wrote to ``log`` after the first ``since`` bytes: its errors, or its last lines."""
    with log.open("rb") as file:
        file.seek(since)
        lines = file.read().decode(errors="replace").splitlines()
    return tuple([line for line in lines if line.startswith("error: ")] or lines[-_LAST_LINES:])


def open_log(path: Path) -> BinaryIO:
    """The file that the agent's log is appended to.  Raises StartError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        remedy = "run as root, or choose another file with --log-file or LVS_LDIRECTORD_LOG"
        raise StartError(f"{path}: {(error.strerror or str(error)).lower()}; {remedy}") from error


def _spawn(plan: Plan, *, pid_file: int, notify: str) -> subprocess.Popen[bytes]:
    options = (*format_options(plan.config), *plan.context.options)
    log = open_log(plan.log) if plan.log else None
    try:
        return subprocess.Popen(  # noqa: S603 - the same
            (*_PROGRAM, "run", "--config", str(plan.config), *options),
            env={**plan.context.environment, "NOTIFY_SOCKET": notify},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(pid_file,),
            start_new_session=True,
        )
    except OSError as error:
        raise StartError(f"{_PROGRAM[0]} cannot be started: {error}; install lvs-agent again") from error
    finally:
        if log:
            log.close()
