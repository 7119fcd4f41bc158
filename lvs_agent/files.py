"""Files that are replaced as a whole: the agent's own files, and files that it reads again when they change."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

MODE = 0o640
"""Permissions of the agent's files: readable for its user and group."""

Stamp = tuple[int, int, int]
"""Number, time of the last change and size of a file: a replaced or rewritten one differs in one of them."""


Opener = Callable[[Path], int]
"""Opens a file for reading that this process may not open itself, and returns the descriptor.  Raises OSError."""

_openers: list[Opener] = []


def ask_for_files(opener: Opener | None) -> None:
    """From now on, let ``opener`` open what this process may not read: it has given up the privilege for that."""
    _openers[:] = [] if opener is None else [opener]


def open_to_read(path: Path) -> BinaryIO:
    """Open an operator's file: a configuration, a secret, a key.  Raises OSError."""
    try:
        return path.open("rb")
    except PermissionError:
        if not _openers:
            raise
        return os.fdopen(_openers[0](path), "rb")


def without_links(path: Path) -> Path:
    """The absolute path with no link in it.  Links that go in a circle are left in it; opening it tells."""
    return Path(os.path.realpath(path))


def stamp_of(path: Path) -> Stamp | None:
    """A value that changes when the file at ``path`` is replaced or rewritten; None if it does not exist."""
    try:
        found = path.stat()
    except PermissionError:
        try:
            with open_to_read(path) as file:
                found = os.fstat(file.fileno())
        except OSError:
            return None
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def open_own(path: Path, flags: int) -> int:
    """Open a file of the agent's own with ``flags`` (open(2)), and return the descriptor.

    A link is not followed, and what is not a regular file is not opened: somebody else has put it there.  Nor is a file
    in a directory in which everybody may write.  Raises OSError.
    """
    if path.parent.stat().st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EACCES, "everybody may write in its directory")
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, MODE)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace the content of the file at ``path`` by ``chunks``.  Its directory is created if it does not exist.

    Readers see the old file or the new one, even after a loss of power.  Raises OSError; then the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = open_own(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()  # a full disk needs the room
        raise
