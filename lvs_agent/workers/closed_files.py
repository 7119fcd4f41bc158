"""Files of checks that not everybody may read: the agent reads them, and lends copies to the workers."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lvs_agent.files import open_to_read
from lvs_agent.model.check import CheckSpec

LARGEST = 1 << 20
"""Bytes of a file that is lent."""


def closed_files_of(specs: Iterable[CheckSpec]) -> dict[str, bytes]:
    """The contents of the keys and certificates of ``specs`` that not everybody may read, by path.

    Files that cannot be read at all are left out; the checks say so.
    """
    tables = {id(tls): tls for spec in specs if (tls := getattr(spec.target.settings, "tls", None)) is not None}
    named = {path for tls in tables.values() for path in (tls.ca_file, tls.client_certificate, tls.client_key) if path}
    contents = {}
    for path in sorted(named):
        with suppress(OSError):
            if not _is_open(Path(path)):
                with open_to_read(Path(path)) as file:
                    contents[path] = file.read(LARGEST)
    return contents


def _is_open(path: Path) -> bool:
    """Whether everybody may read the file, as far as its own mode and those of its directories say."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH) and all(
            directory.stat().st_mode & stat.S_IXOTH for directory in path.parents
        )
    except PermissionError:
        return False
