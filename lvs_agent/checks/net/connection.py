"""One TCP connection of one probe, plain or TLS, on bare sockets (``poller``).

Closing is orderly (no RST unless the server sent data that was not read).  With ``Connection: close`` the server closes
first and has the TIME_WAIT.  If the director closes first, it has the TIME_WAIT for a minute, on a port that no other
connection uses.
"""

from __future__ import annotations

import errno
import socket
import ssl
from types import TracebackType
from typing import NamedTuple, Self

from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.poller import READ, READ_WRITE
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.model.check import CheckResult, Passed, Target
from lvs_agent.model.ipvs import IPAddress

RECEIVE_SIZE = 65_536
"""Most bytes that are read at once: the memory that a flooding server can use beyond the limits of a reader."""

STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EALREADY, errno.EINTR, errno.EISCONN})
_CONNECTED = frozenset({0, errno.EISCONN})


class Endpoint(NamedTuple):
    """An address and port in the form for socket calls.

    It is made once and kept, because making it costs as much as a system call.
    """

    family: int
    address: tuple[str, int]


def endpoint_of(address: IPAddress, port: int) -> Endpoint:
    """The endpoint at ``address`` and ``port``."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return Endpoint(family, (str(address), port))


class Connection:
    """A connection to an endpoint, opened at once and without waiting; close it, or use ``with``.

    Every method may raise OSError; ``encrypt`` and what follows it may raise ssl.SSLError too.
    """

    __slots__ = ("_address", "_descriptor", "_mask", "_poller", "_progress", "_socket")

    def __init__(self, endpoint: Endpoint, run: ProbeRun) -> None:
        self._progress = run.progress
        self._poller = run.poller
        self._address = endpoint.address
        self._mask = 0
        # socket.socket is a slower wrapper around it
        self._socket = opened = socket.SocketType(endpoint.family, STREAM, 0)
        self._descriptor = opened.fileno()
        # The acknowledgement that ends the handshake then travels with the request: one packet less on both hosts.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        number = opened.connect_ex(endpoint.address)
        if number not in UNDER_WAY:
            opened.close()
            raise OSError(number, "connect")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket, whatever state it is in."""
        self._poller.forget(self._descriptor)
        self._socket.close()

    def release(self) -> socket.socket:
        """The plain socket, blocking, for use without the loop.  The connection must not be used any more."""
        self._poller.forget(self._descriptor)
        if self._mask:
            self._poller.unregister(self._descriptor)
            self._mask = 0
        released = socket.socket(fileno=self._socket.detach())
        released.settimeout(None)
        return released

    @property
    def application_protocol(self) -> str | None:
        """The protocol negotiated with ALPN (RFC 7301); None without TLS, or if the server chose none."""
        wrapped = self._socket
        return wrapped.selected_alpn_protocol() if isinstance(wrapped, ssl.SSLSocket) else None

    @property
    def own_address(self) -> tuple[str, int]:
        """The local address and port, as the server sees them unless they are translated on the way."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    async def connected(self) -> None:
        """Wait until the server has accepted; it may send first."""
        await self._accepted()
        # Otherwise a server that sends first waits 200 ms for the acknowledgement, which is delayed for the request.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def _accepted(self) -> None:
        while (number := self._socket.connect_ex(self._address)) not in _CONNECTED:
            if number not in UNDER_WAY:
                raise OSError(number, "connect")
            await self._ready(READ_WRITE)
        self._progress.stage = Stage.CONNECTED

    async def send(self, data: bytes, *, then: str) -> None:
        """Send all of ``data``, waiting for the connection if it is not established yet.  ``then``: what comes next."""
        while data:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                await self._ready(READ_WRITE)
            else:
                data = data[sent:]
        self._progress.stage = Stage.CONNECTED
        self._progress.waiting_for = then

    def end_sending(self) -> None:
        """Close the sending direction only: the server reads the end, and may still answer.  Not with TLS."""
        self._socket.shutdown(socket.SHUT_WR)

    async def receive(self) -> bytes:
        """The next bytes, ``RECEIVE_SIZE`` at most; empty if the server has closed."""
        if not self._mask:  # nothing can have arrived yet, and registering reports what arrives until then
            self._watch(READ)
            await self._poller.ready(self._descriptor)
        while True:
            try:
                return self._socket.recv(RECEIVE_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._watch(READ)
                await self._poller.ready(self._descriptor)
            except ssl.SSLWantWriteError:
                await self._ready(READ_WRITE)

    async def encrypt(self, context: ssl.SSLContext, *, server_name: str | None) -> ssl.SSLSocket:
        """Start TLS.  The socket that is returned still belongs to the connection."""
        await self._accepted()
        self._progress.waiting_for = "TLS handshake"
        plain = socket.socket(fileno=self._socket.detach())
        plain.settimeout(0)  # a socket made from a descriptor would block
        self._socket = plain
        wrapped = context.wrap_socket(
            plain, server_hostname=server_name, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self._socket = wrapped
        while True:
            try:
                wrapped.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                await self._ready(READ_WRITE)
            else:
                return wrapped

    async def _ready(self, mask: int) -> None:
        self._watch(mask)
        await self._poller.ready(self._descriptor)

    def _watch(self, mask: int) -> None:
        if self._mask in (mask, READ_WRITE):
            return
        if self._mask:
            self._poller.modify(self._descriptor, mask)
        else:
            self._poller.register(self._descriptor, mask)
        self._mask = mask


async def connect(target: Target, run: ProbeRun) -> CheckResult:
    """Connect, then close in order.  Nothing is sent or read, and no settings are used."""
    try:
        with Connection(run.cached(endpoint_of, target.address, target.port or 0), run) as connection:
            await connection.connected()
    except OSError as problem:
        return outcome_of(problem)
    return Passed("connected")
