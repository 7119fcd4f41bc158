import asyncio
import errno
import os
import socket
import threading
from contextlib import suppress

import pytest

from lvs_agent.checks.engine.engine import over_time
from lvs_agent.checks.net.doubt import Doubt
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.progress import Progress, Stage
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.checks.net.threads import Threads
from lvs_agent.model.check import Errored, ErrorReason, Failed, FailureReason
from tests.checks.servers import run, threads, until


class Hanging:
    """A call that returns "ended" only after ``end``."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self) -> str:
        self.thread = threading.current_thread()
        self._told.wait(10)
        return "ended"

    def end(self) -> None:
        """Tell it."""
        self._told.set()


def started(pool: Threads, call: Hanging, *, doubt: Doubt | None = None) -> tuple["asyncio.Task[str]", Progress]:
    """A task that runs ``call``, as a probe does that is connected."""
    progress = Progress()
    progress.stage, progress.waiting_for = Stage.CONNECTED, "login"
    running = pool.run(call, cancel=call.end, progress=progress, doubt=doubt)
    return asyncio.get_running_loop().create_task(running, name="call"), progress


def test_result_and_exception_come_back() -> None:
    """The call runs in a thread of its own, and what it returns or raises arrives."""

    async def main() -> None:
        pool, progress = Threads(), Progress()

        def fail() -> None:
            raise KeyError("x")

        other = await pool.run(threading.get_ident, cancel=list, progress=progress)
        assert other != threading.get_ident()
        with pytest.raises(KeyError):
            await pool.run(fail, cancel=list, progress=progress)
        assert pool.load.busy == 0

    run(main())


def test_cancelled_call_is_made_to_return() -> None:
    """A cancelled probe uses its way to unblock the call, and has no thread when it is over."""

    async def main() -> None:
        before = threads()
        pool, call = Threads(), Hanging()
        task, _ = started(pool, call)
        await until(lambda: call.thread)
        task.cancel()
        await asyncio.wait({task})

        assert task.cancelled()
        assert pool.load.busy == 0
        await until(lambda: threads() == before)

    run(main())


def test_probe_waits_for_a_thread_that_is_slow_to_end() -> None:
    """As long as the thread runs, the probe is not over: it would close a socket that is still in use."""

    async def main() -> None:
        pool, call = Threads(), Hanging()
        task = asyncio.ensure_future(pool.run(call, cancel=list, progress=Progress()))
        await until(lambda: call.thread)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.005)
        assert not task.done()
        assert pool.load.busy == 1
        call.end()
        await asyncio.wait({task})

        assert task.cancelled()
        assert pool.load.busy == 0

    run(main())


def test_shutting_a_socket_down_unblocks_its_reader() -> None:
    """What checkers rely on: a thread that reads from a socket returns when the socket is shut down elsewhere."""

    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, ours.dup() as guard:
            task = asyncio.ensure_future(
                Threads().run(
                    lambda: ours.recv(1), cancel=lambda: guard.shutdown(socket.SHUT_RDWR), progress=Progress()
                )
            )
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait({task}, timeout=2)
            assert task.cancelled()

    run(main())


def test_cancel_that_comes_too_late_is_no_problem() -> None:
    """A connection that is already gone cannot be shut down; that ends nothing."""

    async def main() -> None:
        pool, call = Threads(), Hanging()

        def gone() -> None:
            call.end()
            raise OSError

        task = asyncio.ensure_future(pool.run(call, cancel=gone, progress=Progress()))
        await until(lambda: call.thread)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(main())


def test_no_more_calls_than_places() -> None:
    """Who finds no place waits, is queued meanwhile, and runs when a place is free."""

    async def main() -> None:
        pool = Threads(concurrency=2)
        calls = [Hanging() for _ in range(4)]
        tasks, progresses = zip(*(started(pool, call) for call in calls), strict=True)
        await until(lambda: pool.load.busy == 2)
        assert pool.load.queued == 2
        assert [progress.stage for progress in progresses] == [Stage.CONNECTED] * 2 + [Stage.QUEUED] * 2
        assert isinstance(over_time(progresses[2], timeout_s=1, late_s=0), Errored)
        calls[0].end()
        await until(lambda: calls[2].thread)
        assert (pool.load.busy, pool.load.queued) == (2, 1)
        for call in calls:
            call.end()
        assert await asyncio.gather(*tasks) == ["ended"] * 4
        assert (pool.load.busy, pool.load.queued, pool.load.oldest_s) == (0, 0, 0.0)

    run(main())


def test_cancelled_waiter_takes_no_place() -> None:
    """A probe that is cancelled in the queue has never run; its place in the queue is gone."""

    async def main() -> None:
        pool = Threads(concurrency=1)
        calls = [Hanging() for _ in range(3)]
        tasks = [started(pool, call)[0] for call in calls]
        await until(lambda: calls[0].thread)
        tasks[1].cancel()
        await asyncio.wait({tasks[1]})
        calls[0].end()
        await until(lambda: calls[2].thread)
        calls[2].end()
        await asyncio.wait(tasks)

        assert calls[1].thread is None
        assert pool.load == Threads().load

    run(main())


def test_place_given_to_a_probe_cancelled_at_that_moment_is_passed_on() -> None:
    """A place that arrives together with the cancellation is not lost."""

    async def main() -> None:
        pool = Threads(concurrency=1)
        calls = [Hanging() for _ in range(3)]
        tasks = [started(pool, call)[0] for call in calls]
        await until(lambda: calls[0].thread)
        calls[0].end()
        await until(lambda: pool.load.queued == 1)
        tasks[1].cancel()
        calls[1].end()
        await until(lambda: calls[2].thread)
        calls[2].end()
        await asyncio.wait(tasks)
        assert pool.load.busy == 0

    run(main())


def test_silence_counts_once_the_server_had_as_long_as_the_queue() -> None:
    """After a long wait in the queue a server is not to blame at once, but it is in the end."""

    async def main() -> None:
        pool = Threads(concurrency=1)
        first, second = Hanging(), Hanging()
        began = started(pool, first)[0]
        late, progress = started(pool, second)
        await until(lambda: first.thread)
        await asyncio.sleep(0.05)
        first.end()
        await until(lambda: second.thread)
        assert over_time(progress, timeout_s=1, late_s=0) == Errored(
            ErrorReason.BUSY, "no answer within 1 s: waiting for login"
        )
        await until(lambda: progress.stage is Stage.CONNECTED)
        assert over_time(progress, timeout_s=1, late_s=0) == Failed(
            FailureReason.READ_TIMEOUT, "no answer within 1 s: waiting for login"
        )
        second.end()
        await asyncio.wait({began, late})

    run(main())


def test_calls_in_doubt_leave_places_to_others() -> None:
    """However many servers let their calls hang, those of other servers find a thread at once."""

    async def main() -> None:
        pool = Threads(concurrency=4)
        doubtful = [Hanging() for _ in range(6)]
        tasks = [started(pool, call, doubt=Doubt(hangs=True))[0] for call in doubtful]
        await until(lambda: pool.load.busy == 3)
        assert pool.load.queued == 3
        assert await asyncio.wait_for(pool.run(lambda: "well", cancel=list, progress=Progress()), 2) == "well"
        assert pool.load.busy == 3
        for call in doubtful:
            call.end()
        assert await asyncio.gather(*tasks) == ["ended"] * 6

    run(main())


def test_call_that_had_to_be_cancelled_is_held_against_the_next_one_until_one_ends() -> None:
    """Doubt begins with a call that hung, and ends with one that was not cancelled, whatever it raised."""

    async def main() -> list[bool]:
        pool, doubt, call = Threads(), Doubt(), Hanging()
        seen = []
        task, _ = started(pool, call, doubt=doubt)
        await until(lambda: call.thread)
        task.cancel()
        await asyncio.wait({task})
        seen.append(doubt.hangs)
        with pytest.raises(ValueError, match="invalid literal"):
            await pool.run(lambda: int("x"), cancel=list, progress=Progress(), doubt=doubt)
        seen.append(doubt.hangs)
        return seen

    assert run(main()) == [True, False]


def test_call_that_never_began_says_nothing_of_its_server() -> None:
    """One that is cancelled in the queue leaves the doubt as it was."""

    async def main() -> bool:
        pool, doubt, first = Threads(concurrency=1), Doubt(), Hanging()
        running, _ = started(pool, first)
        await until(lambda: first.thread)
        waiting, _ = started(pool, Hanging(), doubt=doubt)
        await until(lambda: pool.load.queued)
        waiting.cancel()
        await asyncio.wait({waiting})
        first.end()
        await running
        return doubt.hangs

    assert run(main()) is False


def test_age_of_the_oldest_call_grows() -> None:
    """The oldest call says how long a thread has been kept at most."""

    async def main() -> None:
        pool, call = Threads(), Hanging()
        task, _ = started(pool, call)
        await until(lambda: pool.load.oldest_s > 0.02)
        assert pool.load.oldest_s < 10
        call.end()
        await task

    run(main())


def test_closing_ends_every_call() -> None:
    """Closing what probes share makes calls return, whoever still waits for them."""

    async def main() -> None:
        before = threads()
        call = Hanging()
        async with ProbeResources() as resources:
            task, _ = started(resources.threads, call)
            await until(lambda: call.thread)
        assert await task == "ended"
        await until(lambda: threads() == before)

    run(main())


def test_thread_that_cannot_be_started_is_our_fault() -> None:
    """A system without room for a thread gives an OSError that says busy, and the place back."""

    async def main() -> None:
        pool = Threads(concurrency=1)
        for _ in range(2):
            with pytest.raises(OSError, match="no thread can be started") as raised:
                await pool.run(int, cancel=list, progress=Progress())
            assert outcome_of(raised.value) == Errored(ErrorReason.BUSY, os.strerror(errno.EAGAIN).lower())
        assert pool.load.busy == 0

    before = threading.stack_size(1 << 46)
    try:
        run(main())
    finally:
        threading.stack_size(before)
