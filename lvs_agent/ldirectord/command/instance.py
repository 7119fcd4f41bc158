"""The pid file of a running agent.  The agent holds a lock on it for as long as it lives, so it is never mistaken.

The lock (flock(2)) belongs to the open file, which the agent inherits when it is started and closes only by ending,
however it ends.  A number in a file may be another process by now; a lock that is held cannot be.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lvs_agent.errors import StartError
from lvs_agent.files import without_links

_NOTICED_WITHIN_S = 1.0
"""Longer than somebody who only looks holds the lock, and than a starter needs to write the file."""
_LOOK_S = 0.01


class State(Enum):
    """STALE: it has ended, but not by ``lvs-ldirectord stop``."""

    RUNNING = "running"
    STALE = "stale"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a pid file says.  ``config``: as it was named.  ``address``: where it answers, once it does."""

    pid: int
    config: str
    log: str
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What is to be seen of the agent behind a pid file.  ``record`` is None where there is none to be read."""

    path: Path
    state: State
    record: Record | None

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self.state is State.RUNNING


def pid_file(config: Path, *, directory: Path) -> Path:
    """The one pid file of ``config``, by whatever path or link it is named."""
    real = without_links(config)
    return directory / f"{real.name}-{hashlib.sha256(bytes(real)).hexdigest()[:8]}.pid"


def find(configs: Sequence[Path], *, directory: Path) -> Instance | None:
    """The agent that runs one of ``configs``, or left its pid file; None where there is no trace.

    One that was started by the same name is found even if the name has been made a link to another file since.
    """
    places = [pid_file(config, directory=directory) for config in configs]
    others = [path for path in sorted(directory.glob("*.pid")) if path not in places]
    names = set(map(str, configs))
    seen = [look(path) for path in places]
    seen += [one for one in map(look, others) if one.running and one.record and one.record.config in names]
    seen = [one for one in seen if one.state is not State.STOPPED]
    return min(seen, key=lambda one: not one.running, default=None)


def look(path: Path) -> Instance:
    """What the pid file at ``path`` says now.  Raises StartError where it may not be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Instance(path=path, state=State.STOPPED, record=None)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        if _lock(descriptor, fcntl.LOCK_SH):
            return Instance(path=path, state=State.STALE, record=_read(descriptor))
        return Instance(path=path, state=State.RUNNING, record=_written(descriptor))
    finally:
        os.close(descriptor)


def claim(path: Path) -> int | None:
    """A descriptor of the emptied pid file with its lock, for the agent to inherit; None where one is running.

    Raises StartError where it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise _refused(path, error) from error
    give_up = time.monotonic() + _NOTICED_WITHIN_S
    while not _lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > give_up:
            os.close(descriptor)
            return None
        time.sleep(_LOOK_S)
    os.fchmod(descriptor, 0o644)  # status is for everybody
    os.ftruncate(descriptor, 0)
    return descriptor


def write(descriptor: int, record: Record) -> None:
    """Put ``record`` into the pid file: the number on the first line, as everybody expects."""
    lines = [str(record.pid), record.config, record.log, *([record.address] if record.address else [])]
    os.pwrite(descriptor, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"), 0)


def ended_within(path: Path, *, seconds: float) -> bool:
    """Wait until the agent of this pid file has ended; False where it takes longer."""
    give_up = time.monotonic() + seconds
    while look(path).running:
        if time.monotonic() > give_up:
            return False
        time.sleep(_LOOK_S)
    return True


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Within the block no other command starts or ends the agent of this pid file; waits for its turn.

    Makes the directory where it is missing.  Raises StartError where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _refused(path.parent, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def forget(path: Path) -> None:
    """Remove the pid file of an agent that has ended."""
    with suppress(FileNotFoundError):
        path.unlink()


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(descriptor: int) -> Record | None:
    """The record of a running agent, waited for while its starter is about to write it."""
    give_up = time.monotonic() + _NOTICED_WITHIN_S
    while (record := _read(descriptor)) is None and time.monotonic() < give_up:
        time.sleep(_LOOK_S)
    return record


def _read(descriptor: int) -> Record | None:
    lines = os.pread(descriptor, 65_536, 0).decode("utf-8", "surrogateescape").split("\n")
    if len(lines) < 4 or not lines[0].isdigit():
        return None
    pid, config, log, address = lines[:4]
    return Record(pid=int(pid), config=config, log=log, address=address or None)


def _refused(path: Path, error: OSError) -> StartError:
    remedy = "run as root, or choose another directory with --run-dir or LVS_LDIRECTORD_RUN_DIR"
    return StartError(f"{path}: {(error.strerror or str(error)).lower()}; {remedy}")
