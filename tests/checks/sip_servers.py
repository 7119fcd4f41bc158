"""The answers of a SIP server."""

from __future__ import annotations

import asyncio
import re

from tests.checks.servers import Handler


def response(request: bytes, status: str = "200 OK", *, body: bytes = b"", compact: bool = False) -> bytes:
    """A response with the headers that it must take over from the request (RFC 3261, 8.2.6.2)."""
    lines = request.decode().split("\r\n")
    taken = [line for line in lines if re.match(r"(Via|From|To|Call-ID|CSeq):", line)]
    if compact:
        taken = [re.sub(r"^Via: (.*);", r"v : \1\r\n ;", line).replace("Call-ID:", "i:") for line in taken]
    head = [f"SIP/2.0 {status}", *taken, f"{'l' if compact else 'Content-Length'}: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


def of_another(request: bytes) -> bytes:
    """A response to a request that nobody has made."""
    return response(request).replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")


def healthy(request: bytes) -> list[bytes]:
    """A server that works."""
    return [response(request)]


def over_stream(*answers: str, before: bytes = b"", body: bytes = b"") -> Handler:
    """A handler that answers one request with a response for each of the statuses ``answers``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(before + b"".join(response(request, status, body=body) for status in answers))
        await writer.drain()
        await reader.read()

    return handle


async def answering_another(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handler that answers what was not asked."""
    writer.write(of_another(await reader.readuntil(b"\r\n\r\n")))
    await writer.drain()
    await reader.read()
