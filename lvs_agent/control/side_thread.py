"""One thread beside the loop, for calls that may hang: a disk, a directory on a network, a resolver.

Unlike the threads of an executor, nothing waits for it: a call that never returns blocks neither the loop nor the end
of the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

_Result = TypeVar("_Result")


class _Call(Generic[_Result]):
    """Work, and where its result goes."""

    def __init__(self, work: Callable[[], _Result]) -> None:
        self._work = work
        self.future: Future[_Result] = Future()

    def run(self) -> None:
        try:
            result = self._work()
        except BaseException as problem:  # noqa: BLE001 - passed on to the caller that awaits it
            self.future.set_exception(problem)
        else:
            self.future.set_result(result)


class SideThread:
    """Runs one call at a time, for one event loop.  The first call starts the thread."""

    def __init__(self, *, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: asyncio.Future[Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is still running, even if no caller awaits it any more."""
        return self._last is not None and not self._last.done()

    async def call(self, work: Callable[[], _Result], *, limit_s: float | None = None) -> _Result:
        """Wait until the thread is free, then for the result of ``work`` (or what it raises).

        Raises TimeoutError if ``work`` takes longer than ``limit_s``.  Then, or if the caller is cancelled, the thread
        is busy until ``work`` has ended.
        """
        while self._last is not None and not self._last.done():
            await asyncio.wait({self._last})
        self._last = result = asyncio.wrap_future(self._begin(work))
        result.add_done_callback(_heard)
        done, _ = await asyncio.wait({result}, timeout=limit_s)
        if not done:
            raise TimeoutError
        return result.result()

    def close(self) -> None:
        """End the thread after its open calls, without waiting for it."""
        self._calls.put(None)

    def _begin(self, work: Callable[[], _Result]) -> Future[_Result]:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        call = _Call(work)
        self._calls.put(call)
        return call.future

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()


def _heard(result: asyncio.Future[Any]) -> None:
    """Drop the exception of a call that no caller waits for any more."""
    if not result.cancelled():
        result.exception()
