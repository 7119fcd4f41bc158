"""Commands of checks that a worker asks for: it names a check, and the agent starts that check's program, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lvs_agent.clock import SystemClock
from lvs_agent.commands.command_runner import CommandRunner
from lvs_agent.model.check import CheckSpec
from lvs_agent.model.workers import LossCause
from lvs_agent.workers.command_calls import CommandCalls
from lvs_agent.workers.link import Link, Uplink
from lvs_agent.workers.protocol import Answer, Call, Down, Started, Work
from tests.workers.test_link import spec

PATIENCE_S = 20.0


class Bench:
    """A link whose messages are kept, and the calls made on it."""

    def __init__(self) -> None:
        self.runner = CommandRunner()
        self.calls = CommandCalls(self.runner)
        self.sent: list[Work | Down | Started | Answer] = []
        self.link = Link(
            clock=SystemClock(),
            uplink=Uplink(
                results=lambda _: None, call=self.calls.call, cancel=self.calls.cancel, ended=self.calls.cancel_all
            ),
        )
        self.link.send = self.sent.append  # type: ignore[method-assign, assignment]

    def call(self, number: int, of: CheckSpec) -> None:
        """What the worker asks for."""
        self.calls.call(self.link, Call(number, 0, doubtful=False, waited_s=None), of)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that happens."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - programs of another process
                await asyncio.sleep(0.01)


def program(*command: str) -> CheckSpec:
    """A check that runs a program."""
    check = spec(0, "command")
    settings = check.target.settings.model_copy(update={"command": command})
    return replace(check, target=replace(check.target, settings=settings))


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A directory in which programs of other users may write."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o777)
        yield directory


async def finished(bench: Bench) -> None:
    """End the runner."""
    await bench.runner.close()


def test_program_of_the_check_is_run_and_its_end_told() -> None:
    """Started, then its exit status and output."""

    async def run() -> None:
        bench = Bench()
        bench.call(5, program("/bin/sh", "-c", "echo hello; exit 3"))
        await bench.until(lambda: len(bench.sent) == 2)
        assert bench.sent == [Started(5, waited=False), Answer(5, (3, None, "hello\n"))]
        await finished(bench)

    asyncio.run(run())


def test_program_that_cannot_be_started_is_an_errno() -> None:
    """As in the agent itself."""

    async def run() -> None:
        bench = Bench()
        bench.call(5, program("/no/such/program"))
        await bench.until(lambda: len(bench.sent) == 2)
        assert bench.sent[1] == Answer(5, (2, "No such file or directory"))
        await finished(bench)

    asyncio.run(run())


@pytest.mark.parametrize("how", ["cancel", "worker gone"])
def test_program_ends_with_its_call(how: str, shared_directory: Path) -> None:
    """When the worker says so, and when there is no worker any more; nobody is answered."""
    file = shared_directory / "pid"

    async def run() -> None:
        bench = Bench()
        bench.call(5, program("/bin/sh", "-c", f"echo $$ >{file}; sleep 600"))
        await bench.until(lambda: file.exists() and bool(file.read_text()))
        pid = Path("/proc") / file.read_text().strip()
        if how == "cancel":
            bench.calls.cancel(bench.link, 5)
        else:
            bench.calls.cancel_all(bench.link)
        await bench.until(lambda: not pid.exists())
        assert bench.sent == [Started(5, waited=False)]
        await finished(bench)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(None, (1, spec(0)), id="check without a program"),
        pytest.param((1, program("/bin/sleep", "600")), (1, program("/bin/sleep", "600")), id="the same call again"),
        pytest.param((1, program("/bin/sleep", "600")), (2, program("/bin/sleep", "600")), id="two at a time"),
    ],
)
def test_call_that_no_worker_makes_ends_the_link(
    first: tuple[int, CheckSpec] | None, second: tuple[int, CheckSpec]
) -> None:
    """No program is started for it."""

    async def run() -> None:
        bench = Bench()
        if first is not None:
            bench.call(*first)
            await bench.until(lambda: len(bench.sent) == 1)
        bench.call(*second)
        assert bench.link.ended.result()[0] is LossCause.INVALID
        assert bench.runner.running == (first is not None)
        bench.calls.cancel_all(bench.link)
        await finished(bench)

    asyncio.run(run())
