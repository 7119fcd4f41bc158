"""The commands that read a configuration and start nothing, from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def lvs_agent(*words: str | Path) -> Said:
    """Run ``lvs-agent`` to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "lvs_agent", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def check_config(path: Path) -> Said:
    """What is to be said about a configuration."""
    return lvs_agent("check-config", "--config", path)
