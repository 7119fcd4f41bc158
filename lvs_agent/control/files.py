"""Files of our own that are replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MODE = 0o640
"""Who may read them: us, and our group."""


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Put ``chunks`` in the place of the file at ``path``, whose directory is made where it is not there.

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
