"""One request and its response over HTTP/2 (RFC 9113), with a limit on everything that is read.

``Http2Reader`` does no I/O; ``exchange`` drives it over a connection.  The protocol itself is h2's work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lvs_agent.checks.kinds.http.response import HEAD_LIMIT, ProtocolViolation
from lvs_agent.checks.net.connection import Connection
from lvs_agent.checks.net.dialogue import printable
from lvs_agent.checks.net.progress import Progress

if TYPE_CHECKING:
    from h2.events import Event

LIBRARIES = ("h2.connection",)
"""What a check that uses this module imports when it runs."""
_STATUS = re.compile(r"[1-9][0-9][0-9]")
_STREAM = 1
_FRAME_HEAD = 9
_LARGEST_FRAME = 16_384
"""Payload of the largest frame that a server may send us (RFC 9113, 4.2): we ask for no larger ones."""
_GOAWAY = 7
_FRAME_LIMIT = 2_048
"""Frames that are taken; a server that cuts 1MiB into pieces of half a KiB needs as many.  It bounds the work that
empty frames can make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked; ``headers`` have lower-case names."""

    method: str
    scheme: str
    authority: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def fields(self) -> list[tuple[str, str]]:
        """The header section, pseudo-header fields first (RFC 9113, 8.3.1)."""
        pseudo = {":method": self.method, ":scheme": self.scheme, ":authority": self.authority, ":path": self.path}
        return [*pseudo.items(), *self.headers]


class Http2Reader:
    """The client's side of one stream on a new connection: an ``Answer`` once it is complete.

    ``body_limit``: bytes of the body to read (0: none, and trailers are not waited for).
    """

    phrase = ""

    def __init__(self, request: Request, *, body_limit: int) -> None:
        from h2.config import H2Configuration  # noqa: PLC0415 - only agents with checks of HTTP/2 need it
        from h2.connection import H2Connection  # noqa: PLC0415 - the same
        from h2.settings import SettingCodes  # noqa: PLC0415 - the same

        self._limit = body_limit
        self._body = bytearray()
        self._buffer = b""
        self._frames_left = _FRAME_LIMIT
        self.status = 0
        self.complete = False
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self._h2 = H2Connection(config=H2Configuration(client_side=True))
        self._h2.local_settings[SettingCodes.ENABLE_PUSH] = 0
        self._h2.local_settings[SettingCodes.MAX_HEADER_LIST_SIZE] = HEAD_LIMIT
        self._h2.initiate_connection()
        self._h2.send_headers(_STREAM, request.fields(), end_stream=not request.body)
        if request.body:
            self._h2.send_data(_STREAM, request.body, end_stream=True)

    @property
    def body(self) -> bytes:
        """What was read of the body; never more than the limit."""
        return bytes(self._body)

    def header(self, name: str) -> str | None:
        """The value of a header (a name in lower case), or None."""
        return self.headers.get(name)

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        return self._h2.data_to_send()

    def goodbye(self) -> bytes:
        """What is to be sent before the connection is closed in order."""
        from h2.exceptions import ProtocolError  # noqa: PLC0415 - as above

        try:
            self._h2.close_connection()
        except ProtocolError:  # the server was first
            return b""
        return self._h2.data_to_send()

    def take(self, data: bytes) -> bool:
        """Take what came, nothing meaning that the server has closed; whether nothing more is needed.

        Raises ProtocolViolation.
        """
        from h2.exceptions import ProtocolError  # noqa: PLC0415 - as above

        if not data:
            raise ProtocolViolation(f"connection closed {self._where()}")
        self._buffer += data
        if not self.status and self._buffer.startswith(b"HTTP/1."):
            raise ProtocolViolation("the server speaks HTTP/1.1 here, not HTTP/2")
        try:
            for frame in self._frames():
                for event in self._h2.receive_data(frame):
                    self._handle(event)
        except ProtocolError as problem:
            raise ProtocolViolation(f"not HTTP/2: {type(problem).__name__} {printable(str(problem))}") from None
        return self.complete

    def _frames(self) -> Iterator[bytes]:
        """The whole frames that have come, but for the announcement that the server will take no further request.

        A server may send it before its last answers (RFC 9113, 6.8), but h2 takes none after it.
        """
        buffer, start = self._buffer, 0
        while len(buffer) - start >= _FRAME_HEAD and not self.complete:
            size = int.from_bytes(buffer[start : start + 3], "big")
            if size > _LARGEST_FRAME:
                raise ProtocolViolation(f"not HTTP/2: a frame of {size} bytes")
            end = start + _FRAME_HEAD + size
            if end > len(buffer):
                break
            frame, start = buffer[start:end], end
            self._count()
            if not _is_announcement(frame):
                yield frame
        self._buffer = buffer[start:]

    def _count(self) -> None:
        self._frames_left -= 1
        if self._frames_left < 0:
            raise ProtocolViolation(f"more than {_FRAME_LIMIT} frames")

    def _handle(self, event: Event) -> None:
        from h2 import events  # noqa: PLC0415 - as above

        match event:
            case events.ResponseReceived(headers=headers):
                self.headers = _decoded(headers)
                self.status = _status(self.headers.pop(":status", ""))
                self.complete = self._limit == 0
            case events.DataReceived(data=data, flow_controlled_length=length):
                self._body += data[: self._limit - len(self._body)]
                self.complete = self.complete or len(self._body) >= self._limit
                self._h2.acknowledge_received_data(length, _STREAM)
            case events.TrailersReceived(headers=headers):
                self.trailers = _decoded(headers)
            case events.StreamEnded():
                self.complete = True
            case events.StreamReset(error_code=code):
                raise ProtocolViolation(f"the server has reset the stream {self._where()}: {_name(code)}")
            case events.ConnectionTerminated(error_code=code):
                raise ProtocolViolation(f"the server has ended the connection {self._where()}: {_name(code)}")

    def _where(self) -> str:
        return f"after {len(self._body)} bytes of a longer body" if self.status else "without a response"


async def exchange(
    connection: Connection, request: Request, *, body_limit: int, progress: Progress, of: str = ""
) -> Http2Reader:
    """The response to ``request``, the first one on ``connection``.  Raises ProtocolViolation, OSError.

    ``of`` is put behind what is waited for.
    """
    response = Http2Reader(request, body_limit=body_limit)
    await connection.send(response.outgoing(), then=f"response headers{of}")
    while not response.take(await connection.receive()):
        progress.waiting_for = f"response {'body' if response.status else 'headers'}{of}"
        await connection.send(response.outgoing(), then=progress.waiting_for)
    with suppress(OSError):  # all that is needed has come
        await connection.send(response.goodbye(), then="nothing more")
    return response


def _is_announcement(frame: bytes) -> bool:
    """GOAWAY without an error, that leaves our stream alone."""
    last_stream, error = frame[9:13], frame[13:17]
    return frame[3] == _GOAWAY and int.from_bytes(last_stream, "big") & 0x7FFFFFFF >= _STREAM and error == bytes(4)


def _decoded(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name; several of one name are joined with a comma (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _status(text: str) -> int:
    if not _STATUS.fullmatch(text):
        raise ProtocolViolation(f"not an HTTP status: {printable(text)}")
    return int(text)


def _name(code: object) -> str:
    """RFC 9113, 7."""
    return str(getattr(code, "name", code))
