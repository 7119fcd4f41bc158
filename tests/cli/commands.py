"""The command line, within this process where that is enough, else as a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from lvs_agent.cli import main
from tests.global_log import same_log

COMMAND = (sys.executable, "-m", "lvs_agent")
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--") if os.geteuid() == 0 else ()
"""Put before a command it runs without any capability, as it would for an ordinary user."""


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def here(*arguments: object) -> Ended:
    """``lvs-agent`` with ``arguments`` within this process: fast, for commands that change no more than the log."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), same_log(), pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return Ended(int(end.value.code or 0), out.getvalue(), err.getvalue())


def lvs_agent(*arguments: object, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Ended:
    """``lvs-agent`` with ``arguments`` as a process of its own."""
    run = subprocess.run(
        [*before, *COMMAND, *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return Ended(run.returncode, run.stdout, run.stderr)
