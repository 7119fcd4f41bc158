"""The real servers of the demonstration: small HTTP servers that fail on request in the ways that servers do."""

from __future__ import annotations

import threading
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_S = 30.0


class Mood(Enum):
    """How a server behaves."""

    WELL = "answers"
    BROKEN = "answers 503"
    HANGING = "accepts connections and says nothing"
    STOPPED = "refuses connections"


class DemoServer:
    """An HTTP server at one address that says its name.  Starts stopped; ``port`` is known once it has been well."""

    def __init__(self, *, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.port = 0
        self.mood = Mood.STOPPED
        self._server: ThreadingHTTPServer | None = None
        self._woken = threading.Event()

    def become(self, mood: Mood) -> None:
        """Behave like ``mood`` from now on."""
        self._woken.set()
        if mood is Mood.STOPPED:
            self._close()
        elif self._server is None:
            self._open()
        self._woken = threading.Event()
        self.mood = mood

    def _open(self) -> None:
        server = _Server((self.address, self.port), _handler_of(self))
        self.port = server.server_port
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"demo-{self.name}", daemon=True
        ).start()
        self._server = server

    def _close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait_out(self) -> None:
        """Say nothing until the mood changes."""
        self._woken.wait(HANG_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler_of(owner: DemoServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if owner.mood is Mood.HANGING:
                owner.wait_out()
                return
            status = HTTPStatus.OK if owner.mood is Mood.WELL else HTTPStatus.SERVICE_UNAVAILABLE
            body = f"{owner.name}\n".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class chooses the name
            """Say nothing: the agent's own lines are what the demonstration shows."""

    return Handler
