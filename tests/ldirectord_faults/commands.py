"""The commands that read a configuration and start nothing, from outside."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests import forkserver


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def lvs_agent(*words: str | Path) -> Said:
    """Run ``lvs-agent`` to its end."""
    done = forkserver.run([*forkserver.COMMAND, *words])
    return Said(done.returncode, done.stdout, done.stderr)


def check_config(path: Path) -> Said:
    """What is to be said about a configuration."""
    return lvs_agent("check-config", "--config", path)
