"""Files that not everybody may read, so that a worker may not: the agent lends it copies of the files of its checks,
and the starter imports libraries for it.
"""

from __future__ import annotations

import stat
import sys
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


def libraries_are_open() -> bool:
    """Whether everybody may import what this process may, as far as the modes of directories say."""
    directories = [Path(name) for name in sys.path if name and Path(name).is_dir()]
    packages = [path for directory in directories for path in directory.iterdir() if path.is_dir()]
    return all(map(_is_open, {*directories, *packages}))


def _is_open(path: Path) -> bool:
    """Whether everybody may read a file or directory, as far as its own mode and those above it say."""
    try:
        mode = path.stat().st_mode
        needed = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
        return mode & needed == needed and all(
            directory.stat().st_mode & stat.S_IXOTH for directory in path.absolute().parents
        )
    except PermissionError:
        return False
