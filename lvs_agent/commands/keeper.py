"""One program with everything that it starts: all of it ends together.

The runner forks a keeper for each program.  The kernel makes the keeper the parent of every descendant whose own parent
ends (``PR_SET_CHILD_SUBREAPER``, prctl(2)), so that no process gets away by a session of its own or by forking twice.
When the program has ended, or the runner says so with SIGTERM, the keeper kills what is left and reports.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lvs_agent.commands.privileges import Limits, end_with_parent, give_up_privileges, inherit_orphans, obey

HELD_BACK = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
"""Signals that the runner ignores; programs must not."""
Report = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run.  ``user`` None: as our own.  ``leaves``: what it has started stays when it ends, as for a command
    that starts a service.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    user: str | None
    leaves: bool
    limits: Limits


class _Killed(Exception):
    """The runner wants the program to end."""


def keep(program: Program, *, output: int, report: Callable[[Report], object]) -> NoReturn:
    """Run ``program`` with its output to the descriptor ``output``, call ``report`` once, and end this process.

    The report is ``{"exit": status}``, ``{"signal": number}`` or, where it could not be started, ``{"errno": number,
    "message": text}``.
    """
    try:
        # The runner has blocked it, and it stays blocked until there is something to kill.
        signal.signal(signal.SIGTERM, _raise_killed)
        if not program.leaves:
            inherit_orphans()
        end_with_parent(signal.SIGTERM)
        report(_run(program, output))
    finally:
        os._exit(0)


def _run(program: Program, output: int) -> Report:
    try:
        process = _spawn(program, output)
    except OSError as problem:
        return {"errno": problem.errno or 0, "message": problem.strerror or str(problem)}
    except (LookupError, ValueError, subprocess.SubprocessError) as problem:
        return {"errno": 0, "message": str(problem)}
    os.close(output)
    killed = False
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        # It is not waited for yet, so that its number cannot belong to another group.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    except _Killed:
        killed = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if killed or not program.leaves:
        status = _end_all(process.pid)
    else:
        status = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
    return {"exit": status} if status >= 0 else {"signal": -status}


def _end_all(program: int) -> int:
    """Kill every descendant until there is none; how the program itself ended."""
    status = -signal.SIGKILL
    while True:
        try:
            ended, code = os.waitpid(-1, os.WNOHANG)
            if not ended:
                for process in descendants(os.getpid()):
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(process, signal.SIGKILL)
                ended, code = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        if ended == program:
            status = os.waitstatus_to_exitcode(code)


def descendants(ancestor: int) -> list[int]:
    """Every process below this one, parents before children (proc_pid_stat(5))."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended in between
            _state, parent, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(parent), []).append(int(stat.parent.name))
    found = [ancestor]
    for process in found:
        found += children.get(process, ())
    return found[1:]


def _raise_killed(_number: int, _frame: object) -> None:
    raise _Killed


def _spawn(program: Program, output: int) -> subprocess.Popen[bytes]:
    """Start it.  Raises OSError, LookupError (no such user), ValueError, subprocess.SubprocessError."""
    identity = _identity(program.user)

    def in_child() -> None:
        for number in HELD_BACK:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        end_with_parent()
        obey(program.limits)
        give_up_privileges()

    return subprocess.Popen(  # noqa: S603 - the operator's own argument list, and no shell
        list(program.argv),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=dict(program.environment),
        start_new_session=True,
        user=None if identity is None else identity.pw_uid,
        group=None if identity is None else identity.pw_gid,
        extra_groups=None if identity is None else [],
        preexec_fn=in_child,  # noqa: PLW1509 - this process has one thread
    )


def _identity(user: str | None) -> pwd.struct_passwd | None:
    """The account that the program runs as; None for our own."""
    if user is None or user == pwd.getpwuid(os.geteuid()).pw_name:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise LookupError(f"no such user: {user}") from None
