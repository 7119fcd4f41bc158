from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from ipaddress import ip_address

from lvs_agent.clock import ManualClock
from lvs_agent.control.reverse_names import FOUND_S, MISSED_S, ReverseNames, host_names
from lvs_agent.model.ipvs import IPAddress
from tests.checks.servers import until

ONE, TWO = ip_address("10.0.0.1"), ip_address("2001:db8::1")


class Resolver:
    """Knows ``names``, counts what it is asked, and hangs on ``hangs_on`` until ``end``."""

    def __init__(self) -> None:
        self.names: dict[IPAddress, Collection[str]] = {ONE: {"one.example.com"}}
        self.asked: list[IPAddress] = []
        self.threads: set[str] = set()
        self.hangs_on: IPAddress | None = None
        self.end = threading.Event()

    def __call__(self, address: IPAddress) -> Collection[str]:
        self.asked.append(address)
        self.threads.add(threading.current_thread().name)
        if address == self.hangs_on:
            self.end.wait(5)
        if address not in self.names:
            raise OSError("no such name")
        return self.names[address]


class Bench:
    """Names from a resolver that knows what the test says."""

    def __init__(self, resolver: Callable[[IPAddress], Collection[str]], *, look_up_s: float = 5.0) -> None:
        self.clock = ManualClock()
        self.learned = 0
        self.names = ReverseNames(clock=self.clock, learned=self._learn, resolver=resolver, look_up_s=look_up_s)

    def _learn(self) -> None:
        self.learned += 1

    async def look_up(self, *addresses: IPAddress) -> None:
        await self.names.look_up(addresses)


def test_names_are_found_and_remembered() -> None:
    """What is known is not asked again before its time, and all of it is asked in one thread beside the loop."""
    resolver = Resolver()

    async def scenario() -> None:
        bench = Bench(resolver)
        await bench.look_up(ONE, TWO)
        await bench.look_up(ONE, TWO)
        assert dict(bench.names.known) == {ONE: {"one.example.com"}}
        assert (resolver.asked, bench.learned) == ([ONE, TWO], 1)

        bench.clock.advance(MISSED_S)
        await bench.look_up(ONE, TWO)
        assert resolver.asked == [ONE, TWO, TWO]

        bench.clock.advance(FOUND_S)
        await bench.look_up(ONE)
        assert resolver.asked == [ONE, TWO, TWO, ONE]
        assert bench.learned == 1
        bench.names.close()

    asyncio.run(scenario())
    assert resolver.threads == {"reverse-names"}


def test_name_stays_until_another_is_found() -> None:
    """A resolver that fails does not take away what is known; another name does."""
    resolver = Resolver()

    async def scenario() -> None:
        bench = Bench(resolver)
        await bench.look_up(ONE)
        del resolver.names[ONE]
        bench.clock.advance(FOUND_S)
        await bench.look_up(ONE)
        assert dict(bench.names.known) == {ONE: {"one.example.com"}}

        resolver.names[ONE] = {"new.example.com"}
        bench.clock.advance(MISSED_S)
        await bench.look_up(ONE)
        assert dict(bench.names.known) == {ONE: {"new.example.com"}}
        assert bench.learned == 2
        bench.names.close()

    asyncio.run(scenario())


def test_look_up_that_hangs_counts_as_a_miss() -> None:
    """The others get their turn as soon as the thread is free."""
    resolver = Resolver()
    resolver.hangs_on = TWO

    async def scenario() -> None:
        bench = Bench(resolver, look_up_s=0.02)
        await bench.look_up(TWO)
        assert dict(bench.names.known) == {}
        resolver.end.set()
        await bench.look_up(TWO, ONE)
        assert dict(bench.names.known) == {ONE: {"one.example.com"}}
        bench.names.close()

    asyncio.run(scenario())
    assert resolver.asked == [TWO, ONE]


def test_name_that_is_no_text_is_none() -> None:
    """Bytes that no host name can have cost that name and nothing else."""

    def broken(_: IPAddress) -> Collection[str]:
        return {b"\xff".decode()}

    async def scenario() -> None:
        bench = Bench(broken)
        await bench.look_up(ONE)
        assert dict(bench.names.known) == {}
        bench.names.close()

    asyncio.run(scenario())


def test_root_task_looks_up_what_is_wanted() -> None:
    """``run`` serves each wish."""
    resolver = Resolver()

    async def scenario() -> None:
        bench = Bench(resolver)
        task = asyncio.create_task(bench.names.run())
        bench.names.want([ONE])
        await until(lambda: bench.learned)
        task.cancel()
        await asyncio.wait({task})
        bench.names.close()

    asyncio.run(scenario())
    assert resolver.asked == [ONE]


def test_system_knows_this_host() -> None:
    """The system's resolver gives every name of the loopback address."""
    assert "localhost" in host_names(ip_address("127.0.0.1"))
