"""The command line, within this process where that is enough, else as a process of its own."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from lvs_agent.cli import main
from tests import forkserver
from tests.forkserver import COMMAND
from tests.global_log import same_log

TIMEOUT_S = 30.0
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
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with redirect_stdout(out), redirect_stderr(err), same_log(), pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)  # run blocks SIGHUP, and what tests start would inherit that
    return Ended(int(end.value.code or 0), out.getvalue(), err.getvalue())


def lvs_agent(*arguments: object, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Ended:
    """``lvs-agent`` with ``arguments`` as a process of its own."""
    words = [*before, *COMMAND, *map(str, arguments)]
    run = forkserver.run(words, env={**os.environ, **(environment or {})}, timeout_s=TIMEOUT_S)
    return Ended(run.returncode, run.stdout, run.stderr)
