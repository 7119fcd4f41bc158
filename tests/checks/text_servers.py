"""Servers of text protocols and of LDAP that answer as told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from lvs_agent.checks.kinds.ldap import ber
from lvs_agent.checks.kinds.ldap import messages as ldap_messages
from tests.checks.servers import Handler


def talking(
    answers: Mapping[str, bytes], *, greeting: bytes = b"", heard: list[str] | None = None, end: str = "QUIT"
) -> Handler:
    """A handler that greets, and answers each line by the first of ``answers`` that it begins with (upper case).

    ``heard`` gets every line; a line that begins with ``end`` is the last one.  What has no answer gets none.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            if heard is not None:
                heard.append(line)
            found = next((answer for start, answer in answers.items() if line.upper().startswith(start)), b"")
            writer.write(found)
            await writer.drain()
            if line.upper().startswith(end):
                return

    return handle


def saying(*pieces: bytes) -> Handler:
    """A handler that says one piece after the other, with a pause between them, then waits for the end."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        await reader.read()

    return handle


def resp(answers: Mapping[str, bytes], *, heard: list[list[str]] | None = None) -> Handler:
    """A handler for Redis's commands, as arrays of strings or in a line; the first word chooses the answer."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while first := await reader.readline():
            words = [] if first.startswith(b"*") else first.decode().split()
            for _ in range(0 if words else int(first[1:])):
                length = int((await reader.readline())[1:])
                words.append((await reader.readexactly(length + 2))[:-2].decode())
            if heard is not None:
                heard.append(words)
            writer.write(answers.get(words[0], b"+OK\r\n"))
            await writer.drain()
            if words[0] == "QUIT":
                return

    return handle


def bulk(text: str) -> bytes:
    """A string as Redis sends it."""
    return f"${len(text)}\r\n{text}\r\n".encode()


def result(tag: int, code: int = 0, diagnostic: str = "") -> bytes:
    """An operation of LDAP that says how another one ended."""
    return ber.encoded(tag, ber.integer(code, tag=ber.ENUMERATED), ber.text(""), ber.text(diagnostic))


def entry(name: str) -> bytes:
    """An entry that a search has found, without attributes."""
    return ber.encoded(ldap_messages.SEARCH_ENTRY, ber.text(name), ber.encoded(ber.SEQUENCE))


def message(number: int, operation: bytes) -> bytes:
    """A message of LDAP."""
    return ber.encoded(ber.SEQUENCE, ber.integer(number), operation)


BOUND = result(ldap_messages.BIND_RESPONSE)
DONE = result(ldap_messages.SEARCH_DONE)


def directory(
    *, bind: bytes = BOUND, search: tuple[bytes, ...] = (entry("dc=example"), DONE), number: int | None = None
) -> Handler:
    """A handler that answers a bind and a search with these operations.  ``number``: its message id, else the right
    one.
    """
    answers = {0x60: (bind,), 0x63: search, 0x77: (result(ldap_messages.EXTENDED_RESPONSE, 2, "no TLS here"),)}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readexactly(2)
            except asyncio.IncompleteReadError:
                return
            more = ber.length_bytes(head[1])
            size = await reader.readexactly(more)
            length = int.from_bytes(size, "big") if more else head[1]
            asked, operation = ber.elements(await reader.readexactly(length))
            for answer in answers.get(operation.tag, ()):
                writer.write(message(ber.number(asked) if number is None else number, answer))
            await writer.drain()

    return handle
