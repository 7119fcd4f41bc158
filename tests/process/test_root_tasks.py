"""What ends the daemon: a task that must not end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from lvs_agent.root_tasks import endless


async def fails() -> None:
    """A task with a fault in it."""
    raise LookupError("a fault of ours")


async def ends() -> None:
    """A task that has nothing more to do."""


def test_task_that_fails_leaves_its_traceback_in_the_log() -> None:
    """The last line alone would not be enough to find the cause."""
    with capture_logs() as lines, pytest.raises(LookupError):
        asyncio.run(endless(fails))

    (line,) = lines
    assert (line["event"], line["log_level"], line["task"]) == ("task_failed", "critical", "fails")
    assert line["exc_info"]


def test_task_that_ends_is_a_failure_too() -> None:
    """An agent that no longer reconciles or checks must not look healthy."""
    with pytest.raises(RuntimeError, match="ends ended"):
        asyncio.run(endless(ends))
