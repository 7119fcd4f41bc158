"""Which file a configuration's name means: the places that ldirectord(8) looks at, in its order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

DEFAULT_NAME = "ldirectord.cf"
DIRECTORIES = ("/etc/ha.d", "/etc/ha.d/conf")


def candidates(name: str, *, directories: Sequence[str] = DIRECTORIES) -> tuple[Path, ...]:
    """The absolute paths that ``name`` may stand for.

    An absolute name is looked for below ``directories`` too, as ldirectord does; the last one is the name as it is.
    """
    below = (os.path.normpath(f"{directory}/{name}") for directory in directories)
    return tuple(map(Path, (*below, os.path.abspath(name))))  # noqa: PTH100 - without following a link


def existing(paths: Sequence[Path]) -> Path | None:
    """The first of ``paths`` that is a file."""
    return next((path for path in paths if path.is_file()), None)


def format_options(config: Path) -> tuple[str, ...]:
    """What tells lvs-agent how to read ``config``: whatever its name is, it is ldirectord's unless it says TOML."""
    return () if config.suffix == ".toml" else ("--config-format", "ldirectord")
