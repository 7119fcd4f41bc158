"""What the web server's thread runs: uvicorn with the endpoints.  Only that thread imports this, for it takes long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import uvicorn

from lvs_agent.clock import Clock
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.web.app import Endpoints
from lvs_agent.web.kernel import KernelReader
from lvs_agent.web.sources import Sources

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lvs_agent.web.security import Security

_MAX_CONNECTIONS = 256
_KEEP_ALIVE_S = 130
"""Longer than two minutes, the longest scrape interval that Prometheus tolerates: its connection stays open."""
_HANDSHAKE_S = 10.0
"""Prometheus has given up by then."""
_LEAVE_S = 2.0

_TICK_S = 1.0


class Serving:
    """One life of the server.  ``finish`` and ``break_off`` may be called from other threads, at any time."""

    def __init__(
        self,
        *,
        sources: Sources,
        backend: IpvsBackend,
        clock: Clock,
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
        app: ASGIApp = endpoints.app()
        if security is not None:
            from lvs_agent.web.guard import Guard  # noqa: PLC0415 - most agents need none of its libraries

            app = Guard(app, security=security, executor=self._verifier, clock=clock)
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        config.load()
        if security is not None and security.encrypts:
            from lvs_agent.web.tls import ReloadingSSLContext  # noqa: PLC0415 - the same

            config.ssl = ReloadingSSLContext(security.context)
        self._server = _Server(config)
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
        return transport

    def cut_off(self) -> None:
        """End every encrypted connection, whatever its state."""
        for transport in list(self._encrypted):
            transport.abort()


class _Server(uvicorn.Server):
    """Says when it serves, and can be told not to wait for its clients."""

    serving: Callable[[], None]

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once whether it is time to end."""
        self._woken.set()

    async def main_loop(self) -> None:
        """Do once a second what the library does ten times: each wake-up costs the checks as much as one of them."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._woken.wait()

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
