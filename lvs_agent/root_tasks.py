"""Root tasks: parts of the daemon that never end.  If one does, the daemon ends with an error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from lvs_agent.log import get_logger

log = get_logger()

RootTask = Callable[[], Awaitable[None]]


async def run_until(stop: asyncio.Event, tasks: Sequence[RootTask], *, stopping: Callable[[], object]) -> None:
    """Run ``tasks`` until ``stop`` is set, then call ``stopping`` and cancel them; the first one to fail ends all."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(endless(task), name=task.__qualname__) for task in tasks]
        await stop.wait()
        stopping()
        for task in running:
            task.cancel()


async def endless(task: RootTask) -> None:
    """Run a task that must not end on its own."""
    try:
        await task()
    except Exception as error:
        log.critical("task_failed", task=task.__qualname__, error=error, exc_info=True)
        raise
    raise RuntimeError(f"{task.__qualname__} ended")
