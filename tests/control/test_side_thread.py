from __future__ import annotations

import asyncio
import threading
import time

import pytest

from lvs_agent.control.side_thread import SideThread


def test_calls_run_one_at_a_time_beside_the_loop() -> None:
    """Two callers at once are served one after the other, and never on the loop's thread."""
    running: list[str] = []
    seen: list[tuple[str, list[str]]] = []

    def work(name: str) -> str:
        running.append(name)
        time.sleep(0.02)
        seen.append((threading.current_thread().name, list(running)))
        running.remove(name)
        return name

    async def scenario() -> list[str]:
        thread = SideThread(name="beside")
        try:
            return [*await asyncio.gather(thread.call(lambda: work("a")), thread.call(lambda: work("b")))]
        finally:
            thread.close()

    assert asyncio.run(scenario()) == ["a", "b"]
    assert seen == [("beside", ["a"]), ("beside", ["b"])]


def test_what_the_work_raises_reaches_the_caller() -> None:
    """An error is the caller's, and the thread goes on."""

    async def scenario() -> int:
        thread = SideThread(name="beside")
        try:
            with pytest.raises(ZeroDivisionError):
                await thread.call(lambda: 1 // 0)
            return await thread.call(lambda: 7)
        finally:
            thread.close()

    assert asyncio.run(scenario()) == 7


def test_call_that_hangs_is_given_up_and_keeps_the_thread_busy() -> None:
    """The caller goes on at its limit; the next call waits until the thread is really free."""
    end = threading.Event()

    async def scenario() -> None:
        thread = SideThread(name="beside")
        with pytest.raises(TimeoutError):
            await thread.call(end.wait, limit_s=0.02)
        assert thread.busy
        second = asyncio.create_task(thread.call(lambda: "free"))
        await asyncio.sleep(0.02)
        assert not second.done()
        end.set()
        assert await second == "free"
        assert await thread.call(lambda: "still") == "still"
        thread.close()

    asyncio.run(scenario())


def test_cancelled_caller_leaves_the_work_to_end_by_itself() -> None:
    """Giving up is silent, even where the work fails later."""
    end = threading.Event()

    def fail() -> None:
        end.wait()
        raise OSError("too late to matter")

    async def scenario() -> None:
        thread = SideThread(name="beside")
        call = asyncio.create_task(thread.call(fail))
        await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert thread.busy
        end.set()
        assert await thread.call(lambda: "free") == "free"
        thread.close()

    asyncio.run(scenario())


def test_end_of_the_loop_does_not_wait_for_a_call_that_hangs() -> None:
    """A loop can be closed while the thread hangs, and the process may end: the thread is a daemon."""
    end = threading.Event()

    async def scenario() -> None:
        thread = SideThread(name="hanging thread")
        with pytest.raises(TimeoutError):
            await thread.call(end.wait, limit_s=0.01)
        thread.close()

    asyncio.run(scenario())
    hanging = [thread for thread in threading.enumerate() if thread.name == "hanging thread"]

    assert [thread.daemon for thread in hanging] == [True]
    end.set()
    hanging[0].join(5)
    assert not hanging[0].is_alive()
