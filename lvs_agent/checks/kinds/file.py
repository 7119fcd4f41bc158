"""A word in a file of this host, as in the agent check: up, down, drain or a share of the weight."""

from __future__ import annotations

import os
from functools import partial
from typing import ClassVar

from lvs_agent.checks.kinds.agent import judge
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Errored, Failed, FailureReason, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import OwnFile

LIMIT = 4_096
"""Bytes that are read."""

EXAMPLE = """
type = "file"
path = "/run/lvs/{address}"
"""
PASSES = "The first line of the file says up or ready, a share of the weight like 50%, or drain (weight 0)."
FAILS = {
    FailureReason.STATUS: "it says down, failed, fail, stopped or maint",
    FailureReason.PROTOCOL: "it says nothing, or something else",
}
SEEN = "Nothing: the server is not contacted."


class Settings(CheckSettings):
    """Keys of a check with ``type = "file"``."""

    uses_port: ClassVar[bool] = False
    gives_weight: ClassVar[bool] = True

    path: OwnFile
    """The file; {address} stands for the real server's address.  A relative path starts at the configuration file's
    directory."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """Read the file in a thread: it may be on a file system that hangs."""
    settings: Settings = target.settings
    path = settings.path.replace("{address}", str(target.address))
    run.progress.waiting_for = "the file"
    try:
        content = await run.threads.run(partial(_read, path), cancel=_leave, progress=run.progress)
    except OSError as problem:
        outcome = outcome_of(problem)
        # Whatever is wrong with the file is wrong with us: it says nothing about the server.
        return outcome if isinstance(outcome, Errored) else Failed(FailureReason.EXEC, f"{path}: {outcome.detail}")
    return judge(content.decode("utf-8", "replace").partition("\n")[0], source="the file")


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, LIMIT)
    finally:
        os.close(descriptor)


def _leave() -> None:
    """A read of a local file cannot be made to return early, and does not need to."""
