"""Servers on loopback that answer datagrams, well or badly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from lvs_agent.model.check import CheckSpec
from tests.checks.cases import TIMEOUT_S
from tests.checks.conftest import Certificates
from tests.checks.servers import spec

Answers = Callable[[bytes], list[bytes]]
"""The datagrams that answer one."""


@asynccontextmanager
async def hearing(answers: Answers, *, address: str = "127.0.0.1") -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server of UDP; its port, and the datagrams that it has heard so far."""
    loop = asyncio.get_running_loop()
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as opened:

        def answer() -> None:
            question, whom = opened.recvfrom(65_535)
            heard.append(question)
            for datagram in answers(question):
                opened.sendto(datagram, whom)

        opened.settimeout(0)
        opened.bind((address, 0))
        loop.add_reader(opened, answer)
        try:
            yield opened.getsockname()[1], heard
        finally:
            loop.remove_reader(opened)


@asynccontextmanager
async def flooding_with(datagram: bytes) -> AsyncIterator[int]:
    """A server of UDP that sends ``datagram`` as often as it can to who has asked something."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(0)
        opened.bind(("127.0.0.1", 0))

        async def flood() -> None:
            loop = asyncio.get_running_loop()
            _, whom = await loop.sock_recvfrom(opened, 65_535)
            while True:
                with suppress(OSError):
                    for _ in range(32):
                        opened.sendto(datagram, whom)
                await asyncio.sleep(0)

        task = asyncio.get_running_loop().create_task(flood(), name="flood")
        try:
            yield opened.getsockname()[1]
        finally:
            task.cancel()
            await asyncio.wait({task})


def silent(_: bytes) -> list[bytes]:
    """No answer at all."""
    return []


def garbage(_: bytes) -> list[bytes]:
    """Three answers of no protocol."""
    return [b"", b"\xff", b"\x00\xff" * 700]


@asynccontextmanager
async def at_datagrams(_: Certificates, *, kind: str, answers: Answers, **settings: Any) -> AsyncIterator[CheckSpec]:
    """A server of UDP, and the check of it."""
    async with hearing(answers) as (port, _heard):
        yield spec(kind, port=port, timeout_s=TIMEOUT_S, **settings)


@asynccontextmanager
async def at_flood(_: Certificates, *, kind: str, datagram: bytes, **settings: Any) -> AsyncIterator[CheckSpec]:
    """A flooding server of UDP, and the check of it."""
    async with flooding_with(datagram) as port:
        yield spec(kind, port=port, timeout_s=TIMEOUT_S, **settings)


def refusing_port(*, address: str = "127.0.0.1") -> int:
    """A port of UDP that refuses."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as free:
        free.bind((address, 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def at_refusing_port(_: Certificates, *, kind: str, **settings: Any) -> AsyncIterator[CheckSpec]:
    """A check of a port of UDP that refuses."""
    yield spec(kind, port=refusing_port(), timeout_s=TIMEOUT_S, **settings)
