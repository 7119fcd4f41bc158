"""The hosts that both programs check: addresses of this network namespace, with something that listens on them.

A host that is up answers to pings, takes connections on every port in ``PORTS`` and speaks HTTP on them.  One that is
down is unreachable.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from tests.lab.namespace import ip

PORTS = (21, 25, 53, 80, 81, 110, 443, 3128, 3306, 8080)
HOSTS = tuple(f"10.0.0.{number}" for number in range(1, 10))
HOSTS6 = tuple(f"2001:db8::{number}" for number in range(1, 6))
SILENCE_S = 2.0
"""How long a client may say nothing: some checks wait for the server, and would wait until their time limit."""
_ANSWERS = {"/ok": (200, "Test OK\n"), "/": (200, "index\n"), "/gone": (410, "OK no more\n"), "/empty": (204, "")}


class World:
    """The hosts; within a ``with`` block, in a network namespace that nobody else uses.  All are up at first."""

    def __init__(self, *, hosts: Iterable[str] = (*HOSTS, *HOSTS6)) -> None:
        self.hosts = frozenset(hosts)
        self._down: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        ip(None, "link set lo up", *(_address("add", host) for host in self.hosts))
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.take_down([])
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        ip(None, *(_address("del", host) for host in self.hosts))

    def take_down(self, down: Iterable[str]) -> None:
        """Exactly the hosts in ``down`` are down from now on."""
        wanted = set(down) & self.hosts
        commands = []
        for host in wanted - self._down:
            commands += [_address("del", host), _route("add", host)]
        for host in self._down - wanted:
            commands += [_route("del", host), _address("add", host)]
        if commands:
            ip(None, *commands)
        self._down = wanted

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = [
            self._loop.run_until_complete(asyncio.start_server(_answer, host, port, backlog=500))
            for port in PORTS
            for host in ("0.0.0.0", "::")
        ]
        self._ready.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())


def _address(verb: str, host: str) -> str:
    return f"address {verb} {host}/{ip_address(host).max_prefixlen} dev lo"


def _route(verb: str, host: str) -> str:
    return f"route {verb} unreachable {host}/{ip_address(host).max_prefixlen}"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One HTTP response; a connection on which nothing comes is closed."""
    try:
        async with asyncio.timeout(SILENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        writer.close()
        return
    method, target, *_ = head.decode("latin-1").split()
    path = "/" + target.partition("://")[2].partition("/")[2] if "://" in target else target
    status, body = _ANSWERS.get(path, (404, "not here\n"))
    shown = "" if method == "HEAD" else body
    writer.write(f"HTTP/1.1 {status} It\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{shown}".encode())
    with suppress(ConnectionError):
        await writer.drain()
    writer.close()
