"""Threads for client libraries that block, with a limit on their number.

A thread ends with its call, so there are no threads without blocking calls.  The caller passes a function that makes
the call return early (by shutting its socket down).  A probe that is cancelled calls it and waits until the thread has
ended, because the thread may still use the socket that the probe then closes.
"""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lvs_agent.checks.net.doubt import Doubt
from lvs_agent.checks.net.progress import Progress, Stage
from lvs_agent.priority_semaphore import PrioritySemaphore

CONCURRENCY = 64
"""Most calls that run at the same time, by default."""

_END_S = 1.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadLoad:
    """``busy``: calls that run; ``queued``: calls that wait for a thread; ``oldest_s``: age of the oldest call."""

    busy: int
    queued: int
    oldest_s: float


@dataclass(slots=True)
class _Call(Generic[Result]):
    """One call; ``ended`` has what it returned or raised."""

    function: Callable[[], Result]
    cancel: Callable[[], object]
    ended: asyncio.Future[Result]
    began: float


class Threads:
    """At most ``concurrency`` calls at a time; the others wait.

    A quarter of the threads is reserved for servers without a hanging last call, so that hanging servers do not delay
    the checks of the others.
    """

    def __init__(self, *, concurrency: int = CONCURRENCY) -> None:
        self._semaphore = PrioritySemaphore(concurrency, reserved=concurrency // 4)
        self._running: dict[int, _Call[Any]] = {}

    @property
    def load(self) -> ThreadLoad:
        """The current load.  May be read from any thread."""
        began = [call.began for call in list(self._running.values())]
        return ThreadLoad(
            busy=len(began),
            queued=self._semaphore.waiting,
            oldest_s=max(0.0, time.monotonic() - min(began)) if began else 0.0,
        )

    async def run(
        self,
        call: Callable[[], Result],
        *,
        cancel: Callable[[], object],
        progress: Progress,
        doubt: Doubt | None = None,
    ) -> Result:
        """What ``call`` returns or raises, run in a thread.

        ``cancel`` makes it return at once; it is called on the loop, must not block, and may raise OSError.
        ``progress`` is QUEUED while no thread is free, and then for the same time again, so that a server does not fail
        because it had less time than the queue.  ``doubt`` is about the called server, and is updated here.
        Raises what ``call`` raises, and OSError if no thread can be started.
        """
        stage, waiting_for = progress.stage, progress.waiting_for
        doubt = doubt or Doubt()
        waited_s = await self._turn(progress, doubt)
        progress.waiting_for = waiting_for
        judged = (
            asyncio.get_running_loop().call_later(waited_s, setattr, progress, "stage", stage) if waited_s else None
        )
        try:
            return await self._ended(self._start(call, cancel), doubt)
        finally:
            if judged is not None:
                judged.cancel()

    async def close(self) -> None:
        """Make every call return, and wait a moment for the threads to end."""
        for call in self._running.values():
            _cancel(call)
        ending = [call.ended for call in self._running.values()]
        if ending:
            await asyncio.wait(ending, timeout=_END_S)

    async def _turn(self, progress: Progress, doubt: Doubt) -> float:
        """Wait for a place, and return the seconds that this took."""
        came = time.monotonic()
        if self._semaphore.try_acquire(low_priority=doubt.hangs):
            doubt.began_at = came
            return 0.0
        progress.stage, progress.waiting_for = Stage.QUEUED, "a free thread"
        await self._semaphore.acquire(low_priority=doubt.hangs, held_at=doubt.began_at)
        doubt.began_at = time.monotonic()
        return doubt.began_at - came

    def _start(self, function: Callable[[], Result], cancel: Callable[[], object]) -> _Call[Result]:
        loop = asyncio.get_running_loop()
        call = _Call(function, cancel, loop.create_future(), time.monotonic())
        # A daemon: a call that does not return after cancel must not delay the end of the process.
        thread = threading.Thread(target=self._work, args=(call, loop), name="blocking check", daemon=True)
        self._running[id(call)] = call
        try:
            thread.start()
        except RuntimeError:
            self._over(call)
            raise OSError(errno.EAGAIN, "no thread can be started") from None
        return call

    async def _ended(self, call: _Call[Result], doubt: Doubt) -> Result:
        cancelled = False
        while not call.ended.done():
            try:
                await asyncio.wait({call.ended})
            except asyncio.CancelledError:
                cancelled = True
                _cancel(call)
        doubt.hangs = cancelled
        if cancelled:
            call.ended.exception()  # otherwise asyncio would log it
            raise asyncio.CancelledError
        return call.ended.result()

    def _work(self, call: _Call[Any], loop: asyncio.AbstractEventLoop) -> None:
        """The body of the thread."""
        result, problem = None, None
        try:
            result = call.function()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where the call is awaited
            problem = raised
        with suppress(RuntimeError):  # the loop is closed: nothing waits for it
            loop.call_soon_threadsafe(self._settle, call, result, problem)

    def _settle(self, call: _Call[Any], result: Any, problem: BaseException | None) -> None:
        self._over(call)
        if problem is not None:
            call.ended.set_exception(problem)
        else:
            call.ended.set_result(result)

    def _over(self, call: _Call[Any]) -> None:
        del self._running[id(call)]
        self._semaphore.release()


def _cancel(call: _Call[Any]) -> None:
    with suppress(OSError):  # the server has closed it already
        call.cancel()
