"""Copies of operators' files that this process may not read: keys and certificates, lent by the agent.

A file that can be read is read where it is, so that a new certificate counts at once.  A copy is renewed when the agent
reloads its configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_copies: dict[str, int] = {}
"""Descriptors of files in memory, by the path of the file that each is a copy of."""


def lend(files: Mapping[str, bytes]) -> None:
    """Have these contents ready for paths that cannot be read, instead of earlier copies of the same paths."""
    for path, content in files.items():
        descriptor = os.memfd_create("lent", os.MFD_CLOEXEC)
        os.fchmod(descriptor, 0o600)  # PostgreSQL's library refuses a key that others could read
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        if (before := _copies.pop(path, None)) is not None:
            os.close(before)
        _copies[path] = descriptor


def readable(path: str) -> str:
    """``path``, or the path of its copy if it cannot be read and there is one."""
    descriptor = _copies.get(path)
    if descriptor is None or os.access(path, os.R_OK):
        return path
    return f"/proc/self/fd/{descriptor}"
