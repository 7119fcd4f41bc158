"""Database servers that hang beside healthy web servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.checks.sql_servers import GREETING, packet
from tests.process.agent import Agent
from tests.process.conftest import ConfigFile, StartAgent
from tests.process.family import worker_of

WEB = 1_000
SILENT = 150
GREETING_ONLY = 50
INTERVAL_S = 2.0
TIMEOUT_S = 1.0
DELAY = "lvs_agent_check_schedule_delay_seconds"


class Loopback:
    """Three servers at every address of loopback, in a loop of their own.  ``asked`` has the times by web server."""

    def __init__(self) -> None:
        self.asked: defaultdict[str, list[float]] = defaultdict(list)
        self.ports: tuple[int, int, int] = (0, 0, 0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._started = threading.Event()
        self._over = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        kinds = (lambda: _Web(self.asked), _Silent, _Greeting)
        servers = [await self._loop.create_server(kind, "0.0.0.0", 0, backlog=2_048) for kind in kinds]
        first, second, third = (int(server.sockets[0].getsockname()[1]) for server in servers)
        self.ports = first, second, third
        self._started.set()
        await self._over.wait()
        for server in servers:
            server.close()


class _Web(asyncio.Protocol):
    def __init__(self, asked: defaultdict[str, list[float]]) -> None:
        self._asked = asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        assert isinstance(transport, asyncio.WriteTransport)
        self._asked[transport.get_extra_info("sockname")[0]].append(time.monotonic())
        transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        transport.close()


class _Silent(asyncio.Protocol):
    """Accepts and never greets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport


class _Greeting(asyncio.Protocol):
    """Greets, and hangs then."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(packet(GREETING, sequence=0))


@pytest.fixture(name="loopback")
def servers() -> Iterator[Loopback]:
    """The servers while the test runs."""
    with Loopback() as loopback:
        yield loopback


def service(name: str, *, port: int, net: int, count: int, check: str) -> str:
    """A virtual service of ``count`` real servers in 127.``net``.0.0."""
    head = (
        f'[[virtual_service]]\nname = "{name}"\naddress = "192.0.2.{net}"\nport = {port}\n'
        f'check = {{ {check}, interval = "{INTERVAL_S}s", timeout = "{TIMEOUT_S}s", rise = 1, fall = 1 }}\n'
    )
    addresses = (f"127.{net}.{number >> 8}.{number & 255}" for number in range(1, count + 1))
    return head + "".join(f'[[virtual_service.real_server]]\naddress = "{address}"\n' for address in addresses)


def configuration(loopback: Loopback) -> str:
    """All of them; nothing listens to the first reconciliation."""
    web, silent, greeting = loopback.ports
    mysql = 'type = "mysql", user = "monitor", password = "secret"'
    return "\n".join(
        [
            'agent = { state_dir = "state" }',
            service("web", port=web, net=1, count=WEB, check='type = "http"'),
            service("silent", port=silent, net=2, count=SILENT, check=mysql),
            service("greeting", port=greeting, net=3, count=GREETING_ONLY, check=mysql),
        ]
    )


def threads_of(agent: Agent) -> int:
    """Threads of the process with the checks."""
    return len(list(Path(f"/proc/{worker_of(agent.pid)}/task").iterdir()))


def own_metrics(agent: Agent) -> dict[str, float]:
    """The agent's own samples; parsing those of so many servers would take longer than the test."""
    lines = (line for line in agent.get("/metrics").text.splitlines() if line.startswith("lvs_agent_check_"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_hung_databases_delay_no_other_check(config: ConfigFile, start: StartAgent, loopback: Loopback) -> None:
    """200 servers that hang, some of them after the greeting, beside 1,000 healthy ones that keep their rhythm."""
    agent = start(config.replace(configuration(loopback)))
    agent.until(lambda: len(loopback.asked) == WEB)
    time.sleep(INTERVAL_S)
    before = own_metrics(agent)
    begin, threads = time.monotonic(), []
    while time.monotonic() < begin + 2 * INTERVAL_S:  # without scrapes, which are a load of their own
        time.sleep(0.1)
        threads.append(threads_of(agent))
    end = time.monotonic()
    after = own_metrics(agent)
    rounds = [sum(begin < at < end for at in times) for times in loopback.asked.values()]
    health = {one["name"]: {server["health"] for server in one["real_servers"]} for one in agent.status()["services"]}
    in_time, started = (after[name] - before[name] for name in (f'{DELAY}_bucket{{le="0.25"}}', f"{DELAY}_count"))

    assert health == {"web": {"up"}, "silent": {"down"}, "greeting": {"down"}}
    assert len(rounds) == WEB
    assert min(rounds) >= 1
    assert in_time > 0.95 * started
    assert 0 < after["lvs_agent_check_threads"] <= GREETING_ONLY
    assert max(threads) <= min(threads) + GREETING_ONLY
    assert after["lvs_agent_check_threads_queued"] == 0
    assert after["lvs_agent_check_thread_oldest_seconds"] < TIMEOUT_S + 1
    assert agent.end() == 0
