"""Servers that speak just enough of MySQL's or PostgreSQL's protocol to do what real ones cannot be made to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from tests.checks import servers
from tests.checks.servers import Handler

GREETING = (
    b"\x0a8.0.36\x00" + b"\x01\x00\x00\x00" + b"saltsalt\x00" + b"\xff\xf7" + b"\x21\x02\x00" + b"\x08\x80\x15"
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + b"saltsaltsalt\x00" + b"mysql_native_password\x00"
)
"""Protocol 10 with plugin authentication and without TLS."""
OK = b"\x00\x00\x00\x02\x00\x00\x00"
END = b"\xfe\x00\x00\x02\x00"
LONGEST = 0xFFFFFF

Table = tuple[Sequence[str], Sequence[Sequence[str | None]]]
"""Names of columns, and rows."""


def packet(payload: bytes, *, sequence: int) -> bytes:
    """A packet with its header."""
    return struct.pack("<I", len(payload))[:3] + bytes([sequence % 256]) + payload


def error(number: int, text: str) -> bytes:
    """An error as it comes after the greeting."""
    return b"\xff" + struct.pack("<H", number) + b"#HY000" + text.encode()


def text_of(value: str | None) -> bytes:
    """A value of a row."""
    if value is None:
        return b"\xfb"
    data = value.encode()
    return b"\xfc" + struct.pack("<H", len(data)) + data


def column(name: str) -> bytes:
    """The description of a column of text."""
    names = b"".join(text_of(word) for word in ("def", "", "", "", name, name))
    return names + b"\x0c" + struct.pack("<HIBHB", 45, 255, 0xFD, 0, 0) + b"\x00\x00"


def answer(table: Table) -> bytes:
    """A whole result."""
    columns, rows = table
    payloads = [bytes([len(columns)]), *(column(name) for name in columns), END]
    payloads += [b"".join(map(text_of, row)) for row in rows]
    return b"".join(packet(each, sequence=number) for number, each in enumerate([*payloads, END], 1))


async def _read(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(4)
    return await reader.readexactly(int.from_bytes(header[:3], "little"))


def mysql(
    answers: Mapping[str, Table | bytes] = {},
    *,
    greeting: bytes = GREETING,
    login: bytes = OK,
) -> Handler:
    """A server that logs everybody in and knows these statements; another one leaves it silent.

    An answer that is bytes is one packet (an error, say).
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(greeting, sequence=0))
        await _read(reader)
        writer.write(packet(login, sequence=2))
        while (command := await _read(reader)) != b"\x01":
            statement = command[1:].decode()
            found = answers.get(statement, OK if command[0] == 14 or statement.startswith("SET NAMES") else None)
            if found is None:
                return await servers.silent(reader, writer)
            writer.write(packet(found, sequence=1) if isinstance(found, bytes) else answer(found))
        return None

    return handle


def then(after: Handler, *, greeting: bytes = GREETING) -> Handler:
    """A server that greets as MySQL does, and goes on as ``after``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(greeting, sequence=0))
        await after(reader, writer)

    return handle


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A healthy greeting, a byte at a time."""
    for byte in packet(GREETING, sequence=0):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)
    await servers.silent(reader, writer)


async def flooding_rows(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Login works; then the longest packets, one after the other."""
    writer.write(packet(GREETING, sequence=0))
    await _read(reader)
    writer.write(packet(OK, sequence=2))
    await _read(reader)
    sequence = 1
    while True:
        writer.write(struct.pack("<I", LONGEST)[:3] + bytes([sequence % 256]))
        for _ in range(256):
            writer.write(b"\x00" * 65_536)
            await writer.drain()
        sequence += 1


@contextmanager
def encrypted(context: ssl.SSLContext, *, login: bytes) -> Iterator[int]:
    """A server of one connection that goes over to TLS when it is asked to; gives its port.

    In a thread, because a loop may have read the beginning of TLS together with the request for it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            with listener.accept()[0] as connection, suppress(OSError):
                connection.settimeout(5)
                connection.sendall(packet(GREETING.replace(b"\xff\xf7", b"\xff\xff"), sequence=0))
                connection.recv(36, socket.MSG_WAITALL)
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(4_096)
                    wrapped.sendall(packet(login, sequence=3))
                    wrapped.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def message(kind: bytes, payload: bytes) -> bytes:
    """A message of PostgreSQL's."""
    return kind + struct.pack("!I", len(payload) + 4) + payload


READY = message(b"Z", b"I")
LOGGED_IN = message(b"R", struct.pack("!I", 0)) + message(b"K", struct.pack("!II", 1, 1)) + READY


def rows_of(table: Table) -> bytes:
    """A whole result, without the message that the server is ready again."""
    columns, rows = table
    described = b"".join(name.encode() + b"\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0) for name in columns)
    data = message(b"T", struct.pack("!H", len(columns)) + described)
    for row in rows:
        values = b"".join(
            struct.pack("!i", -1) if value is None else struct.pack("!I", len(value.encode())) + value.encode()
            for value in row
        )
        data += message(b"D", struct.pack("!H", len(row)) + values)
    return data + message(b"C", b"SELECT 1\0")


def refusal(number: str, text: str, *, severity: str = "FATAL") -> bytes:
    """An error."""
    fields = (f"S{severity}", f"C{number}", f"M{text}")
    return message(b"E", b"".join(field.encode() + b"\0" for field in fields) + b"\0")


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        (length,) = struct.unpack("!I", await reader.readexactly(4))
        if (await reader.readexactly(length - 4))[:4] != struct.pack("!HH", 1234, 5679):
            return
        writer.write(b"N")  # no TLS here


def pgsql(answers: Mapping[str, Table | bytes] = {}, *, login: bytes = LOGGED_IN) -> Handler:
    """A server that logs everybody in and knows these statements; another one leaves it silent."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _startup(reader, writer)
        writer.write(login)
        while (kind := await reader.readexactly(1)) != b"X":
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            statement = (await reader.readexactly(length - 4)).rstrip(b"\0").decode()
            found = answers.get(statement)
            if found is None or kind != b"Q":
                return await servers.silent(reader, writer)
            writer.write((found if isinstance(found, bytes) else rows_of(found)) + READY)
        return None

    return handle


def after_startup(then: Handler) -> Handler:
    """A server that hears who is there, and goes on as ``then``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _startup(reader, writer)
        await then(reader, writer)

    return handle


async def dripping_login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A healthy login, a byte at a time."""
    await _startup(reader, writer)
    for byte in LOGGED_IN:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)
    await servers.silent(reader, writer)


async def flooding_row(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Login works; then one row that never ends."""
    await _startup(reader, writer)
    writer.write(LOGGED_IN)
    await reader.readexactly(5)
    columns = message(b"T", struct.pack("!H", 1) + b"a\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0))
    writer.write(columns + b"D" + struct.pack("!IHI", 0x3FFFFFFF, 1, 0x3FFFFFF9))
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()
