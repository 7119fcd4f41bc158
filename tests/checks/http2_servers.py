"""Servers of HTTP/2 on loopback that answer as told; the protocol is h2's, as its own server side speaks it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from lvs_agent.model.check import CheckSpec
from tests.checks.cases import TIMEOUT_S
from tests.checks.conftest import Certificate, Certificates
from tests.checks.servers import Handler, serving, spec


@dataclass(slots=True)
class Peer:
    """A connection on which a whole request has come."""

    writer: asyncio.StreamWriter
    h2: H2Connection
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seen: bytes = b""

    async def flush(self) -> None:
        """Send what h2 has to send."""
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def answer(self, *, status: int = 200, body: bytes = b"test\n", **headers: str) -> None:
        """A whole response."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.h2.send_headers(1, [(":status", str(status)), *named.items()])
        self.h2.send_data(1, body, end_stream=True)
        await self.flush()


Answer = Callable[[Peer], Awaitable[None]]


async def serving_status(peer: Peer) -> None:
    """SERVING, as a health service of gRPC says it."""
    peer.h2.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
    peer.h2.send_data(1, b"\x00\x00\x00\x00\x02\x08\x01")
    peer.h2.send_headers(1, [("grpc-status", "0")], end_stream=True)
    await peer.flush()


async def healthy(peer: Peer) -> None:
    """A good answer, and the connection stays until the client ends it."""
    await peer.answer()


def speaking(answer: Answer) -> Handler:
    """A handler that takes one request in, has it answered, and stays until the other side goes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(writer, H2Connection(config=H2Configuration(client_side=False, header_encoding="latin-1")))
        peer.h2.initiate_connection()
        await peer.flush()
        if await _requested(peer, reader):
            await answer(peer)
            while data := await reader.read(65_536):
                peer.seen += data

    return handle


async def _requested(peer: Peer, reader: asyncio.StreamReader) -> bool:
    while data := await reader.read(65_536):
        for event in peer.h2.receive_data(data):
            match event:
                case RequestReceived(headers=headers):
                    peer.headers = {str(name): str(value) for name, value in headers}
                case DataReceived(data=body):
                    peer.body += body
                case StreamEnded():
                    await peer.flush()
                    return True
        await peer.flush()
    return False


async def dripping_body(peer: Peer) -> None:
    """A body of a byte at a time."""
    peer.h2.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
    while True:
        peer.h2.send_data(1, b"x")
        await peer.flush()
        await asyncio.sleep(0.01)


async def no_answer(peer: Peer) -> None:
    """The request is taken, and nothing comes of it."""


async def flooding_pings(peer: Peer) -> None:
    """Frames that ask for an answer and bring nothing forward, as fast as it goes."""
    ping = b"\x00\x00\x08\x06" + bytes(5) + b"12345678"
    while True:
        peer.writer.write(ping * 1_000)
        await peer.writer.drain()


async def flooding_data(peer: Peer) -> None:
    """A body as far as the window goes, and further."""
    peer.h2.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
    await peer.flush()
    while True:
        peer.writer.write(b"\x00\x40\x00\x00\x00\x00\x00\x00\x01" + bytes(16_384))
        await peer.writer.drain()


async def resetting_stream(peer: Peer) -> None:
    """The one stream is refused."""
    peer.h2.reset_stream(1, error_code=7)
    await peer.flush()


async def ending_in_error(peer: Peer) -> None:
    """The server wants no more of this connection."""
    peer.h2.close_connection(error_code=11)
    await peer.flush()


HOSTILE: dict[str, Answer] = {
    "no answer": no_answer,
    "dripping body": dripping_body,
    "flooding pings": flooding_pings,
    "flooding data": flooding_data,
    "resetting the stream": resetting_stream,
    "ending in an error": ending_in_error,
}


def http2_context(certificate: Certificate) -> ssl.SSLContext:
    """A server's context that agrees on HTTP/2."""
    context = certificate.server_context()
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def at_http2_server(
    certificates: Certificates, *, kind: str, handler: Handler, encrypted: bool = False, **settings: Any
) -> AsyncIterator[CheckSpec]:
    """A server, and the check of it."""
    tls = http2_context(certificates.good) if encrypted else None
    own: dict[str, Any] = {"tls": {"verify": False}} if encrypted else {}
    async with serving(handler, tls=tls) as port:
        yield spec(kind, port=port, timeout_s=TIMEOUT_S, **own, **settings)
