"""Real servers on loopback that behave as told, and a way to run one probe as the engine runs it."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from lvs_agent.checks.engine import libraries
from lvs_agent.checks.engine.engine import Engine
from lvs_agent.checks.kinds import Checker, checkers
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.clock import ManualClock, SystemClock
from lvs_agent.model.check import (
    CheckId,
    CheckReport,
    CheckResult,
    CheckSpec,
    Failed,
    FailureReason,
    HttpFacts,
    Passed,
    Target,
)
from lvs_agent.settings.check import CheckSettings

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CONNECTIONS_GONE = (ConnectionError, ssl.SSLError, BrokenPipeError)


Result = TypeVar("Result")


class InstantSettings(CheckSettings):
    """Keys of a check that ends at once; it may still be another result the next time."""

    passes: bool = True


async def _instant(target: Target, _: ProbeRun) -> CheckResult:
    settings: InstantSettings = target.settings
    return Passed() if settings.passes else Failed(FailureReason.CONTENT)


KINDS: Mapping[str, Checker] = {**checkers(), "instant": Checker("instant", InstantSettings, _instant, "", inline=True)}
"""Every kind of check, and one for tests of when checks run."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a test on the loop of production."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def target(kind: str, *, port: int | None = None, address: str = "127.0.0.1", **settings: Any) -> Target:
    """A target for a checker, with settings as a configuration would have them."""
    return Target(address=ip_address(address), port=port, settings=KINDS[kind].settings(**settings))


def spec(
    kind: str,
    *,
    name: str = "check",
    timeout_s: float = 1.0,
    interval_s: float = 60.0,
    connects_between: int = 0,
    **to: Any,
) -> CheckSpec:
    """A check of ``target(kind, **to)``, whose libraries are loaded as the daemon would have done."""
    check = CheckSpec(
        id=CheckId(name), kind=kind, target=target(kind, **to),
        interval_s=interval_s, down_interval_s=interval_s, timeout_s=timeout_s, rise=1, fall=1,
        connects_between=connects_between,
    )  # fmt: skip
    libraries.load([check])
    return check


@asynccontextmanager
async def probe_run() -> AsyncIterator[ProbeRun]:
    """What a probe is given by an engine, for probes that are made without one."""
    async with ProbeResources() as resources:
        yield ProbeRun(resources)


@asynccontextmanager
async def engine_running(
    resources: ProbeResources | None = None,
) -> AsyncIterator[tuple[Engine, asyncio.Queue[CheckReport]]]:
    """An engine that runs with these resources, and the queue that its reports arrive in."""
    reports: asyncio.Queue[CheckReport] = asyncio.Queue()

    def report(batch: Any) -> None:
        for one in batch:
            reports.put_nowait(one)

    engine = Engine(clock=SystemClock(), report=report, resources=resources or ProbeResources(), kinds=KINDS)
    task = asyncio.get_running_loop().create_task(engine.run(), name="engine")
    await asyncio.sleep(0)
    try:
        yield engine, reports
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def engine_by_hand(
    resources: ProbeResources | None = None,
) -> AsyncIterator[tuple[Engine, ManualClock, list[CheckReport]]]:
    """An engine whose time stands still until the test moves it, and its reports so far."""
    clock = ManualClock()
    reports: list[CheckReport] = []
    engine = Engine(clock=clock, report=reports.extend, resources=resources or ProbeResources(), kinds=KINDS)
    task = asyncio.get_running_loop().create_task(engine.run(), name="engine")
    await asyncio.sleep(0)
    try:
        yield engine, clock, reports
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def report_of(check: CheckSpec) -> CheckReport:
    """The report of one probe that an engine makes."""
    async with engine_running() as (engine, reports):
        engine.configure([check])
        return await asyncio.wait_for(reports.get(), check.timeout_s + 5)


async def result_of(check: CheckSpec) -> CheckResult:
    """The result of one probe that an engine makes."""
    return (await report_of(check)).result


async def until(condition: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Wait until ``condition`` holds.  Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


@asynccontextmanager
async def serving(
    handler: Handler, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server on loopback whose every connection is ``handler``'s; gives its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        try:
            await handler(reader, writer)
        except (*CONNECTIONS_GONE, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(*CONNECTIONS_GONE):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, address, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(0)


def answering(response: bytes) -> Handler:
    """A handler that reads the head of a request, sends ``response`` and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()

    return handle


def ok(body: bytes = b"test\n", *headers: str) -> bytes:
    """A healthy response."""
    head = "".join(f"{line}\r\n" for line in (f"Content-Length: {len(body)}", *headers))
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, read, never answer, stay until the other side goes."""
    while await reader.read(65_536):
        pass


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An endless healthy-looking head, a byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


async def dripping_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body of a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head that never ends, as fast as it goes."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: " + b"y" * 65_536 + b"\r\n")
        await writer.drain()


async def flooding_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes of no protocol, as fast as it goes."""
    while True:
        writer.write(b"\x00\xff" * 32_768)
        await writer.drain()


async def flooding_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body that never ends, as fast as it goes."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"z" * 65_536)
        await writer.drain()


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read something, then reset the connection."""
    await reader.read(1)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer of another protocol."""
    writer.write(b"220 mail.example.com ESMTP\r\n")
    await writer.drain()


async def closing_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close in the middle of the head."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await writer.drain()


def unused_port() -> int:
    """A port that refuses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


_strangers: set[int] = set()


def forget_strangers() -> None:
    """Let ``children`` leave out whoever is there now: other tests' processes may still be on their way out."""
    _strangers.clear()
    _strangers.update(children())


def children() -> list[int]:
    """Processes that descend from this one, zombies too, without those that were there when the test began."""
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        parent = waiting.pop()
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                direct = [int(number) for number in (thread / "children").read_text().split()]
                found += direct
                waiting += direct
    return [process for process in found if process not in _strangers]


def threads() -> int:
    """How many threads run."""
    return threading.active_count()


@contextmanager
def full_listener() -> Iterator[int]:
    """A port whose backlog is full: further connections neither succeed nor fail."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """No descriptor may be opened any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def threaded(response: bytes, *, after_s: float) -> Iterator[int]:
    """A server that needs no event loop: one connection, answered after a while."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65_536)
                time.sleep(after_s)
                connection.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def passed_with(status: int) -> Passed:
    """The result of an answer with a status that is right."""
    return Passed(f"status {status}", http=HttpFacts(status))


def failed_with(status: int, phrase: str = "") -> Failed:
    """The result of an answer with a status that is wrong, and a phrase of the server's own."""
    return Failed(FailureReason.STATUS, f"status {status} {phrase}".rstrip(), http=HttpFacts(status, phrase))
