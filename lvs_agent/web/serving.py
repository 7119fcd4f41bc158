"""What the web server's thread runs: uvicorn with the endpoints.  Only that thread imports this, for it takes long."""

from __future__ import annotations

import asyncio
import socket
import time
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import uvicorn

from lvs_agent.clock import Clock
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.log import get_logger
from lvs_agent.web.admission import Admission
from lvs_agent.web.app import Endpoints
from lvs_agent.web.connection import Connection
from lvs_agent.web.kernel import KernelReader
from lvs_agent.web.portions import Portions
from lvs_agent.web.probes_only import ProbesOnly
from lvs_agent.web.sources import Sources

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lvs_agent.web.security import Security

log = get_logger()

_KEEP_ALIVE_S = 130
"""Longer than two minutes, the longest scrape interval that Prometheus tolerates: its connection stays open."""
_HANDSHAKE_S = 10.0
"""Prometheus has given up by then."""
_LEAVE_S = 2.0

_ACCEPTED_AT_ONCE = 32
"""Clients that are accepted before the loop turns: those that must leave for others are gone then."""
_TICK_S = 1.0
_LOGGED_EVERY_S = 60.0


SSLProtocol.max_size = 16 * 1024
"""Bytes of the buffer of each connection with TLS: a record is not longer.  The library has 16 times as many, which
makes a hundred megabytes of idle connections."""


class Serving:
    """One life of the server.  ``finish`` and ``break_off`` may be called from other threads, at any time."""

    def __init__(
        self,
        *,
        sources: Sources,
        backend: IpvsBackend,
        clock: Clock,
        admission: Admission,
        security: Security | None = None,
    ) -> None:
        self._kernel = KernelReader(backend=backend, clock=clock)
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="web-render")
        endpoints = Endpoints(
            sources=sources,
            kernel=self._kernel,
            clock=clock,
            executor=self._executor,
        )
        # One password at a time: each costs a tenth of a second of a processor that the checks need too.
        self._verifier = ThreadPoolExecutor(max_workers=1, thread_name_prefix="web-password")
        app: ASGIApp = ProbesOnly(endpoints.app())
        if security is not None:
            from lvs_agent.web.guard import Guard  # noqa: PLC0415 - most agents need none of its libraries

            app = Guard(app, security=security, executor=self._verifier, clock=clock)
        config = uvicorn.Config(
            Portions(app),
            http=partial(Connection, admission=admission),  # type: ignore[arg-type] # it is called, no more
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            backlog=_ACCEPTED_AT_ONCE,
        )
        config.load()
        if security is not None and security.encrypts:
            from lvs_agent.web.tls import ReloadingSSLContext  # noqa: PLC0415 - the same

            config.ssl = ReloadingSSLContext(security.context)
        self._server = _Server(config, admission)
        self._loop = _Loop()

    def serve(self, listener: socket.socket, *, serving: Callable[[], None]) -> None:
        """Serve until told to finish; ``serving`` is called once requests are answered.  Raises OSError."""
        self._server.serving = serving
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve(listener))
        finally:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._verifier.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, listener: socket.socket) -> None:
        try:
            await self._server.serve(sockets=[listener])
        finally:
            for _ in range(2):  # one that was only just accepted is not there at first
                self._loop.cut_off()
                await asyncio.sleep(0)

    def finish(self) -> None:
        """Answer what was asked, without the kernel where it has not answered yet, then end."""
        self._server.should_exit = True
        self._at_loop(self._server.wake)
        self._at_loop(self._kernel.close)

    def break_off(self) -> None:
        """End now."""
        self._at_loop(self._server.break_off)

    def _at_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call)


class _Loop(asyncio.SelectorEventLoop):
    """Gives up on clients that begin to speak TLS, or to take their leave, and do not go on."""

    def __init__(self) -> None:
        super().__init__()
        self._encrypted: WeakSet[asyncio.Transport] = WeakSet()

    async def create_server(self, *arguments: Any, **options: Any) -> asyncio.Server:
        if options.get("ssl") is not None:
            options |= {"ssl_handshake_timeout": _HANDSHAKE_S, "ssl_shutdown_timeout": _LEAVE_S}
        return await super().create_server(*arguments, **options)

    def _make_ssl_transport(self, *arguments: Any, **options: Any) -> asyncio.Transport:
        # There is no other way to know of connections before their handshake is over.
        transport: asyncio.Transport = super()._make_ssl_transport(  # type: ignore[misc] # not in the stubs
            *arguments, **options
        )
        self._encrypted.add(transport)
        if (waiter := options.get("waiter")) is not None:
            waiter.add_done_callback(_forget_traceback)
        return transport

    def cut_off(self) -> None:
        """End every encrypted connection, whatever its state."""
        for transport in list(self._encrypted):
            transport.abort()


def _forget_traceback(handshake: asyncio.Future[None]) -> None:
    """The problem of a handshake holds the frame that holds the problem, and with them all of the connection: clients
    by the thousand would stay in memory until the next collection.
    """
    if not handshake.cancelled() and (problem := handshake.exception()) is not None:
        # Not yet: the one that waits for the handshake raises it first.
        asyncio.get_running_loop().call_soon(setattr, problem, "__traceback__", None)


class _Server(uvicorn.Server):
    """Says when it serves, and can be told not to wait for its clients."""

    serving: Callable[[], None]

    def __init__(self, config: uvicorn.Config, admission: Admission) -> None:
        super().__init__(config)
        self._admission = admission
        self._log_refusals_at = 0.0
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once whether it is time to end."""
        self._woken.set()

    async def main_loop(self) -> None:
        """Do once a second what the library does ten times: each wake-up costs the checks as much as one of them."""
        while not await self.on_tick(0):
            self._log_refusals()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._woken.wait()

    def _log_refusals(self) -> None:
        """Log once a minute at most that clients were refused."""
        now = time.monotonic()
        if self._admission.refused and now >= self._log_refusals_at:
            log.warning("web_connections_refused", refused_since_last=self._admission.refused)
            self._admission.refused, self._log_refusals_at = 0, now + _LOGGED_EVERY_S

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving()

    def break_off(self) -> None:
        """Cut every connection that is still open."""
        self.force_exit = True
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if isinstance(transport, asyncio.Transport):
                transport.abort()
