"""Files that are replaced as a whole: ours, and those of others that are read again then."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MODE = 0o640
"""Who may read ours: us, and our group."""

Stamp = tuple[int, int, int]
"""Number, time of the last change and size of a file: a replaced or rewritten one differs in one of them."""


def stamp_of(path: Path) -> Stamp | None:
    """What tells whether the file at ``path`` is another one by now; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace the file at ``path`` by ``chunks``, whose directory is made where it is not there.

    Whoever looks sees the old file or the new one, through a loss of power as well.  Raises OSError where that is not
    possible; the old one stays then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
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
