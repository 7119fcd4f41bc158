"""The checkers of mail servers: smtp, submission, pop, pops, imap and imaps."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import partial
from typing import Any

from tests.checks import servers
from tests.checks.cases import Case, at_server, at_unused_port

BANNERS = {
    "smtp": b"220 mail.example.com ESMTP\r\n",
    "pop": b"+OK ready\r\n",
    "imap": b"* OK ready\r\n",
}
ANSWERS = {
    "smtp": {"EHLO": b"250 mail.example.com\r\n", "QUIT": b"221 bye\r\n"},
    "pop": {"CAPA": b"+OK\r\nUSER\r\n.\r\n", "QUIT": b"+OK\r\n"},
    "imap": {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n",
        "NOOP": b"a2 OK\r\n",
        "LOGOUT": b"* BYE\r\nz OK\r\n",
    },
}
ENDLESS = {"smtp": b"250-MORE\r\n", "pop": b"MORE\r\n", "imap": b"* MORE\r\n"}
"""A part of an answer that may come again and again."""
UNVERIFIED: dict[str, Any] = {"tls": {"verify": False}}


def healthy(protocol: str) -> servers.Handler:
    """A server that knows what it is asked."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNERS[protocol])
        while line := (await reader.readline()).decode():
            words = line.split()
            writer.write(next(answer for word, answer in ANSWERS[protocol].items() if word in words))

    return handle


def hostile(protocol: str) -> dict[str, servers.Handler]:
    """Servers that begin well."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNERS[protocol])
        await servers.silent(reader, writer)

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNERS[protocol])
        await reader.readline()
        for byte in ENDLESS[protocol] * 1_000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)

    async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNERS[protocol])
        await reader.readline()
        while True:
            writer.write(ENDLESS[protocol] * 10_000)
            await writer.drain()

    async def flooding_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNERS[protocol])
        await reader.readline()
        while True:
            writer.write(ENDLESS[protocol].rstrip() * 10_000)
            await writer.drain()

    async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNERS[protocol])
        await reader.readline()
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNERS[protocol])
        await reader.readline()
        writer.write(ENDLESS[protocol][:-1])

    return {
        "silent": servers.silent,
        "silent after the banner": silent,
        "dripping": dripping,
        "flooding lines": flooding,
        "flooding a line": flooding_line,
        "flooding garbage": servers.flooding_garbage,
        "resetting": resetting,
        "garbage": servers.answering(servers.ok()) if protocol == "smtp" else servers.garbage,
        "closing early": closing,
    }


def case(kind: str, protocol: str, *, encrypted: bool = False) -> Case:
    """How to try a checker that speaks ``protocol``."""
    at = (
        partial(at_server, kind=kind, encrypted=encrypted, **UNVERIFIED) if encrypted else partial(at_server, kind=kind)
    )
    tried = {name: partial(at, handler=handler) for name, handler in hostile(protocol).items()}
    if encrypted:
        tried |= {"not over TLS": partial(at_server, kind=kind, handler=healthy(protocol), **UNVERIFIED)}
    return Case(
        healthy=partial(at, handler=healthy(protocol)),
        hostile={"refused": partial(at_unused_port, kind=kind), **tried},
        hanging=partial(at, handler=servers.silent),
    )


CASES = {
    "smtp": case("smtp", "smtp"),
    "submission": case("submission", "smtp"),
    "pop": case("pop", "pop"),
    "pops": case("pops", "pop", encrypted=True),
    "imap": case("imap", "imap"),
    "imaps": case("imaps", "imap", encrypted=True),
}
