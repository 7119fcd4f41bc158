"""The HTTP server as the daemon sees it: a socket that is bound before anything else starts, and a thread."""

from __future__ import annotations

import asyncio
import errno
import socket
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from lvs_agent.clock import Clock
from lvs_agent.errors import StartError
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.web.admission import Admission, Door
from lvs_agent.web.sources import Sources

if TYPE_CHECKING:
    from lvs_agent.web.security import Security
    from lvs_agent.web.serving import Serving

_FINISH_WITHIN_S = 0.5
_BREAK_OFF_WITHIN_S = 0.4
_BACKLOG = 256
_MAX_PORT = 65_535


class WebServer:
    """Serves metrics and status on ``listener``, which it closes when it stops.

    ``backend`` must have no other user, and is not closed here.  ``web_config_file`` says who may ask, and how;
    ``admission`` how many may be connected.  Raises ConfigError where that file cannot be used.
    """

    def __init__(
        self,
        *,
        listener: socket.socket,
        sources: Sources,
        backend: IpvsBackend,
        clock: Clock,
        web_config_file: Path | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.address = _written(*listener.getsockname()[:2])
        """Where it listens, as in a URL."""
        self._sources = sources
        self._security = None if web_config_file is None else _security(web_config_file, clock)
        self._admission = admission or Admission()
        self._listener = Door(listener, self._admission)
        self._backend = backend
        self._clock = clock
        self._thread = Thread(target=self._run, name="web", daemon=True)
        self._turn = Lock()
        self._stopped = False
        self._at_work: Serving | None = None
        self._serving: Future[None] = Future()
        self._ended: Future[None] = Future()

    def start(self) -> None:
        """Begin to serve, in a thread; requests wait until it does.  Once in the life of a server."""
        self._thread.start()

    async def run(self) -> None:
        """Start, and wait for the end.  Raises whatever made it end before ``stop`` was called."""
        self.start()
        await asyncio.shield(asyncio.wrap_future(self._ended))

    async def until_serving(self) -> None:
        """Wait until requests are answered; for ever where that never comes."""
        await asyncio.shield(asyncio.wrap_future(self._serving))

    def wait_until_serving(self, timeout: float) -> None:
        """The same for who has no event loop, at most ``timeout`` seconds.  Raises StartError."""
        wait((self._serving, self._ended), timeout, return_when=FIRST_COMPLETED)
        if not self._serving.done():
            raise StartError("the web server did not start") from (
                self._ended.exception() if self._ended.done() else None
            )

    def stop(self) -> None:
        """Stop within a second: finish what is being answered, then break off.  At any time, and more than once."""
        with self._turn:
            self._stopped = True
        if self._at_work is not None:
            self._at_work.finish()
            self._thread.join(_FINISH_WITHIN_S)
            if self._thread.is_alive():
                self._at_work.break_off()
                self._thread.join(_BREAK_OFF_WITHIN_S)
        self._listener.close()

    def _run(self) -> None:
        """The whole life of the thread."""
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the end is awaited
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    def _serve(self) -> None:
        # Importing the libraries takes longer than everything else at the start, and no check has to wait for it.
        from lvs_agent.web.serving import Serving  # noqa: PLC0415

        with self._turn:
            if self._stopped:
                return
            self._at_work = Serving(
                sources=self._sources,
                backend=self._backend,
                clock=self._clock,
                security=self._security,
                admission=self._admission,
            )
        self._at_work.serve(self._listener, serving=lambda: self._serving.set_result(None))


def _security(path: Path, clock: Clock) -> Security:
    from lvs_agent.web.security import Security  # noqa: PLC0415 - most agents need none of its libraries

    return Security(path, clock=clock)


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
        raise StartError(f"{where}: the port must be from 1 to {_MAX_PORT}; give --listen ADDRESS:PORT")
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
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
