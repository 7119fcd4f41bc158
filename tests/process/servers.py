"""Real servers for the agent to check: HTTP on loopback, failing on demand, remembering when they were asked."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_S = 30.0


class RealServer:
    """An HTTP server at 127.0.0.1; ``requests`` are the monotonic times at which it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.hanging = False
        self.requests: list[float] = []
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self._over = threading.Event()
        self.start()

    @property
    def name(self) -> str:
        """Its name in logs and in the status."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, at the port it had before if it had one."""
        self._server = _Server(("127.0.0.1", self.port), _handler_of(self))
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        """Stop permanently, and release requests that hang."""
        self._over.set()
        self.stop()

    def answered(self) -> bool:
        """Note a request; False where there is to be no answer."""
        self.requests.append(time.monotonic())
        if self.hanging:
            self._over.wait(HANG_S)
        return not self.hanging

    def since(self, moment: float) -> list[float]:
        """The requests after ``moment``."""
        return [at for at in self.requests if at > moment]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Ignore a client that disconnects during its answer."""


def _handler_of(owner: RealServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not owner.answered():
                return
            self.send_response(owner.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def shift(before: Sequence[float], after: Sequence[float], *, interval_s: float) -> float:
    """How far the rhythm of ``after`` is from that of ``before``: seconds modulo the interval, without sign."""
    return abs(_wrapped(_phase(after, interval_s) - _phase(before, interval_s), interval_s))


def _phase(times: Sequence[float], interval_s: float) -> float:
    """The median phase of ``times`` in the interval; a median, so that one late request does not count."""
    return times[0] + statistics.median(_wrapped(at - times[0], interval_s) for at in times)


def _wrapped(seconds: float, interval_s: float) -> float:
    """``seconds`` modulo the interval, between minus and plus half of it."""
    return math.remainder(seconds, interval_s)
