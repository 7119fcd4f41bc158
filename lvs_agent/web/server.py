"""The HTTP server: a socket that is bound before anything else starts, and a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread

import uvicorn

from lvs_agent.clock import Clock
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.errors import StartError
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.web.app import Endpoints
from lvs_agent.web.kernel import KernelReader

_START_WITHIN_S = 10.0
_FINISH_WITHIN_S = 0.5
_BREAK_OFF_WITHIN_S = 0.4
_MAX_CONNECTIONS = 256
_MAX_PORT = 65_535
_KEEP_ALIVE_S = 130
"""Longer than two minutes, the longest scrape interval that Prometheus tolerates: its connection stays open."""


class WebServer:
    """Serves metrics and status on ``listener``, which it closes when it stops.

    ``snapshot`` is called from threads of the server and must not wait.  ``backend`` must have no other user, and is
    not closed here.
    """

    def __init__(
        self, *, listener: socket.socket, snapshot: Callable[[], Snapshot], backend: IpvsBackend, clock: Clock
    ) -> None:
        self.address = _written(*listener.getsockname()[:2])
        """Where it listens, as in a URL."""
        self._listener = listener
        self._snapshot = snapshot
        self._backend = backend
        self._clock = clock
        self._running: _Running | None = None

    def start(self) -> None:
        """Serve; returns when serving.  Raises StartError where that fails.  Once in the life of a server."""
        kernel = KernelReader(backend=self._backend, clock=self._clock)
        self._running = _Running(listener=self._listener, snapshot=self._snapshot, kernel=kernel, clock=self._clock)
        self._running.start()

    def stop(self) -> None:
        """Stop within a second: finish what is being answered, then break off.  Also where it never served."""
        if self._running is not None:
            self._running.stop()
            self._running = None
        self._listener.close()


class _Running:
    """One life of the server's thread."""

    def __init__(
        self, *, listener: socket.socket, snapshot: Callable[[], Snapshot], kernel: KernelReader, clock: Clock
    ) -> None:
        self._listener = listener
        self._kernel = kernel
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="web-render")
        endpoints = Endpoints(snapshot=snapshot, kernel=kernel, clock=clock, executor=self._executor)
        config = uvicorn.Config(
            endpoints.app(),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._server = _Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._serve, name="web", daemon=True)

    def start(self) -> None:
        self._thread.start()
        if not self._server.serving.wait(_START_WITHIN_S):
            raise StartError("the web server did not start; the log says why")

    def stop(self) -> None:
        self._server.should_exit = True
        self._at_loop(self._kernel.close)
        self._thread.join(_FINISH_WITHIN_S)
        if self._thread.is_alive():
            self._at_loop(self._server.break_off)
            self._thread.join(_BREAK_OFF_WITHIN_S)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _at_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve(sockets=[self._listener]))


class _Server(uvicorn.Server):
    """Says when it serves, and can be told not to wait for its clients."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    def break_off(self) -> None:
        """Cut every connection that is still open."""
        self.force_exit = True
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if isinstance(transport, asyncio.Transport):
                transport.abort()


_REMEDIES = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another port with --listen",
    errno.EADDRNOTAVAIL: "this host does not have the address; choose another with --listen",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE; choose another with --listen",
    errno.EPERM: "the system does not permit it; choose another with --listen",
}


def bind(listen: tuple[str, int]) -> socket.socket:
    """A listening socket at an address and port (0: any).  Raises StartError where it cannot be had."""
    host, port = listen
    where = f"cannot listen on {_written(host, port)}"
    if not 0 <= port <= _MAX_PORT:  # getaddrinfo would take it modulo 65,536
        raise StartError(f"{where}: ports go from 1 to {_MAX_PORT}; give --listen ADDRESS:PORT")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise StartError(f"{where}: not an address of this host; give --listen ADDRESS:PORT") from error
    try:
        return _listening(*found[0])
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, f"{error}; choose another address with --listen")
        raise StartError(f"{where}: {remedy}") from error


def _listening(
    family: socket.AddressFamily, kind: socket.SocketKind, protocol: int, _: str, address: tuple[object, ...]
) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(_MAX_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    return listener


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
