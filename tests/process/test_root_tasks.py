"""What ends the daemon: a task that must not end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from lvs_agent.daemon import _root


async def fails() -> None:
    """A task with a fault in it."""
    raise LookupError("a fault of ours")


async def ends() -> None:
    """A task that has nothing more to do."""


def test_task_that_fails_leaves_its_traceback_in_the_log() -> None:
    """Whoever looks into it later needs more than the last line."""
    with capture_logs() as lines, pytest.raises(LookupError):
        asyncio.run(_root(fails))

    (line,) = lines
    assert (line["event"], line["log_level"], line["task"]) == ("task_failed", "critical", "fails")
    assert line["exc_info"]


def test_task_that_ends_is_a_failure_too() -> None:
    """An agent that no longer reconciles or checks must not look well."""
    with pytest.raises(RuntimeError, match="ends ended"):
        asyncio.run(_root(ends))
