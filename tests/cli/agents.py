"""What answers commands: the real web server, showing a world, and a server that is not an agent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from lvs_agent.clock import SystemClock
from lvs_agent.core.events import choose
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.web.showcase import showcase_backend, showcase_events, showcase_snapshot


@contextmanager
def serving(
    *,
    snapshot: Callable[[], Snapshot] = showcase_snapshot,
    backend: IpvsBackend | None = None,
    listener: socket.socket | None = None,
) -> Iterator[str]:
    """The URL at which a world can be asked for, by default the documentation's."""
    events = showcase_events()
    server = WebServer(
        listener=listener or bind(("127.0.0.1", 0)),
        sources=Sources(
            snapshot=snapshot, vitals=lambda: snapshot().vitals, events=lambda query: choose(events, query)
        ),
        backend=backend or showcase_backend(),
        clock=SystemClock(),
    )
    server.start()
    try:
        server.wait_until_serving(20.0)
        yield f"http://{server.address}"
    finally:
        server.stop()


@contextmanager
def answering(body: bytes, *, status: int = 200, asked: list[str] | None = None) -> Iterator[str]:
    """The URL of a server that always gives the same answer, and notes in ``asked`` what it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
