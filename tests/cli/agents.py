"""An agent that answers commands: the real web server, showing a world."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        sources=Sources(snapshot=snapshot, events=lambda query: choose(events, query)),
        backend=backend or showcase_backend(),
        clock=SystemClock(),
    )
    server.start()
    try:
        server.wait_until_serving(20.0)
        yield f"http://{server.address}"
    finally:
        server.stop()
