from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from lvs_agent.model.check import Failed, FailureReason, Passed
from tests.checks.servers import Handler, engine_running, run, serving, spec

SOON_S = 3.0
"""Far less than the interval of a minute."""


class Door:
    """A server that keeps its connections until throw_out."""

    def __init__(self) -> None:
        self.visitors: list[asyncio.StreamWriter] = []
        self.left = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visitors.append(writer)
        with suppress(ConnectionError):
            await reader.read()
        self.left.set()

    def throw_out(self) -> None:
        for writer in self.visitors:
            writer.close()
        self.visitors.clear()


def test_loss_of_the_server_is_noticed_at_once() -> None:
    """The interval is a minute; the failure is there as soon as the server has gone."""

    async def main() -> None:
        async with engine_running() as (engine, reports):
            door = Door()
            async with serving(door.handle) as port:
                engine.configure([spec("idle", port=port)])
                first = await asyncio.wait_for(reports.get(), SOON_S)
            door.throw_out()
            second = await asyncio.wait_for(reports.get(), SOON_S)

        assert isinstance(first.result, Passed)
        assert isinstance(second.result, Failed)
        assert second.result.reason is FailureReason.REFUSED

    run(main())


def test_server_that_ends_idle_connections_is_well() -> None:
    """Another connection is made at once, and the detail says why."""

    async def main() -> None:
        door = Door()
        async with serving(door.handle) as port, engine_running() as (engine, reports):
            engine.configure([spec("idle", port=port)])
            await asyncio.wait_for(reports.get(), SOON_S)
            await asyncio.sleep(0.05)
            door.throw_out()
            again = await asyncio.wait_for(reports.get(), SOON_S)

        assert again.result == Passed("connected again: the server had closed the connection")

    run(main())


def test_connection_is_held_from_check_to_check_and_given_up_with_the_check() -> None:
    """One connection for many checks; it ends when nobody wants the check any more."""

    async def main() -> None:
        door = Door()
        async with serving(door.handle) as port, engine_running() as (engine, reports):
            engine.configure([spec("idle", port=port, interval_s=0.1)])
            details = [getattr((await reports.get()).result, "detail", "") for _ in range(3)]
            visitors = len(door.visitors)
            engine.configure([])
            await asyncio.wait_for(door.left.wait(), SOON_S)

        assert details == ["connected", "connected for 0 s", "connected for 0 s"]
        assert visitors == 1

    run(main())


async def chatters(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that never stops talking."""
    with suppress(ConnectionError):
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()


@pytest.mark.parametrize("handler", [chatters])
def test_server_that_never_stops_talking_is_hung_up_on(handler: Handler) -> None:
    """What it says is not kept, and not listened to for ever."""

    async def main() -> None:
        async with serving(handler) as port, engine_running() as (engine, reports):
            engine.configure([spec("idle", port=port)])
            await asyncio.wait_for(reports.get(), SOON_S)
            again = await asyncio.wait_for(reports.get(), SOON_S)

        assert again.result == Passed("connected again: the server did not stop sending")

    run(main())
