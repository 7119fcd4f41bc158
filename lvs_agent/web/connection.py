"""One connection to the web server: uvicorn's, with a limit for everything that a client can send or leave undone."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lvs_agent.web.admission import VISIT, Admission, Visit

HEAD_LIMIT = 32 * 1024
"""Bytes of a request line and its headers."""
URL_LIMIT = 8 * 1024
"""Bytes of a request line's URL; the longest that the agent understands is an expression of a few hundred."""
PIPELINE_LIMIT = 16
"""Requests that may wait for the answer to the one before."""
_LINGER_S = 0.5
"""How long a client that was refused may take to read why."""


class Connection(HttpToolsProtocol):
    """A connection of a client that was admitted."""

    patience_s = 10.0
    """How long a client may take to begin a request, to send its head, and to read a part of the answer."""

    def __init__(self, *, admission: Admission, **options: Any) -> None:
        super().__init__(**options)
        self._admission = admission
        self._is_refused = False
        self._in_head = False
        self._head_size = 0
        self._timer: asyncio.TimerHandle | None = None

    # --- time -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A client has connected, and has spoken TLS where it must."""
        super().connection_made(transport)
        self._peer = transport.get_extra_info("peername")
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._wait_no_more()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as the answer comes."""
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        """It has read."""
        self._wait_no_more()
        if self._in_head:
            self._wait()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """The answer is on its way."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._admission.is_spare(self._peer):
            self.transport.close()
        elif not self._is_answering:
            self._admission.set_busy(self._peer, busy=False)
            if self._in_head:
                self._wait()

    @property
    def _is_answering(self) -> bool:
        cycle: object = self.cycle  # None before the first request, whatever its type says
        return cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float | None = None) -> None:
        self._wait_no_more()
        self._timer = self.loop.call_later(seconds or self.patience_s, self._lose_patience)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _lose_patience(self) -> None:
        self.transport.abort()

    # --- size -----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        if self._is_refused:
            return
        if not self._in_head:
            self._head_size = 0
            if not self._is_answering:
                self._wait()  # for the head of the next request
        self._head_size += len(data)
        super().data_received(data)
        if self._in_head and self._head_size > HEAD_LIMIT:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["state"][VISIT] = Visit(self._admission, self._peer)
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        """A part of its URL."""
        if len(self.url) <= HEAD_LIMIT:
            super().on_url(url)

    def on_headers_complete(self) -> None:
        """Its head is complete."""
        if self._is_refused:
            return
        self._in_head = False
        self._head_size = 0  # what follows in the same data belongs to the next one
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_LIMIT or len(self.url) > URL_LIMIT:
            self._refuse_head()
        elif _has_body(self.headers):
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "requests with a body are not understood")
        elif len(self.pipeline) >= PIPELINE_LIMIT:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, f"more than {PIPELINE_LIMIT} requests wait for their answers")
        else:
            self._wait_no_more()
            self._admission.set_busy(self._peer, busy=True)
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Part of a body, which only a refused request has."""

    def on_message_complete(self) -> None:
        """The request is complete."""
        if not self._is_refused:
            super().on_message_complete()

    def _refuse_head(self) -> None:
        if len(self.url) > URL_LIMIT:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, f"the URL must have at most {URL_LIMIT} bytes")
        else:
            limit = f"request line and headers must have at most {HEAD_LIMIT} bytes"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, limit)

    def _refuse(self, status: HTTPStatus, problem: str) -> None:
        """Answer with an error and end the connection, unless another answer is on its way: then end it at once."""
        self._is_refused = True
        if self._is_answering:
            self.transport.abort()
            return
        body = json.dumps({"error": problem}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self._wait(_LINGER_S)


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0")) for name, value in headers
    )
