"""The one ICMP socket of each family that all pings of a loop share.

It is an unprivileged datagram socket if the kernel allows that (net.ipv4.ping_group_range), else a raw socket, which
needs CAP_NET_RAW.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Self

from lvs_agent.checks.net import icmp
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from lvs_agent.model.ipvs import Family, IPAddress, family_of

_PROTOCOL = {Family.INET: socket.IPPROTO_ICMP, Family.INET6: socket.IPPROTO_ICMPV6}
_TOKEN_SIZE = 16
_BATCH = 256
_READ_EVERY = 64
_BUFFER = 2_048

# linux/in.h, linux/in6.h, linux/icmp.h, linux/icmpv6.h
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_ICMP_FILTER = 1
_ICMPV6_FILTER = 1
_SOL_RAW = 255
_PASS_ICMP = (0, 3, 11, 12)
_PASS_ICMPV6 = (1, 2, 3, 4, 129)
_SOCK_EXTENDED_ERR = struct.Struct("=IBBBBII")
_FROM_ICMP = frozenset({2, 3})  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6


class Waiting:
    """One echo request whose answer is awaited."""

    __slots__ = ("address", "answer", "token")

    def __init__(self, address: IPAddress, token: bytes, answer: asyncio.Future[CheckResult]) -> None:
        self.address = address
        self.token = token
        self.answer = answer


class Pinger:
    """Sends echo requests and passes on their answers.

    A socket that was not ``opened`` before, by a process that may do so, is opened by the first request.
    """

    def __init__(self, opened: Mapping[Family, tuple[socket.socket, bool]] | None = None) -> None:
        self._opened = dict(opened or {})
        self._sockets: dict[Family, IcmpSocket] = {}

    @classmethod
    def with_sockets(cls) -> Self:
        """With a socket for each family for which this process may open one."""
        opened = {}
        for family in Family:
            with suppress(OSError):
                opened[family] = _open(family)
        return cls(opened)

    async def ping(self, address: IPAddress, *, size: int, sent: Callable[[], None]) -> CheckResult:
        """Send one request with ``size`` bytes of payload and wait for its answer, for as long as it takes.

        ``sent`` is called when the request is on its way.  Raises OSError.
        """
        family = family_of(address)
        opened = self._sockets.get(family)
        if opened is None:
            ready = self._opened.pop(family, None) or _open(family)
            opened = self._sockets[family] = IcmpSocket(family, asyncio.get_running_loop(), *ready)
        return await opened.ping(address, size=size, sent=sent)

    def close(self) -> None:
        """Close both sockets."""
        while self._sockets:
            self._sockets.popitem()[1].close()
        while self._opened:
            self._opened.popitem()[1][0].close()


class IcmpSocket:
    """One ICMP socket and the requests that wait on it."""

    def __init__(
        self,
        family: Family,
        loop: asyncio.AbstractEventLoop,
        opened: socket.socket,
        is_raw: bool,  # noqa: FBT001 - as it was opened
    ) -> None:
        self._family = family
        self._loop = loop
        self._waiting: dict[int, Waiting] = {}
        self._sequence = secrets.randbelow(1 << 16)
        self._identifier = secrets.randbelow(1 << 16)
        self._unread = 0
        self._socket, self._is_raw = opened, is_raw
        loop.add_reader(self._socket.fileno(), self._on_readable)

    async def ping(self, address: IPAddress, *, size: int, sent: Callable[[], None]) -> CheckResult:
        """See ``Pinger.ping``."""
        sequence = self._free_sequence()
        token = secrets.token_bytes(_TOKEN_SIZE)
        payload = token + bytes(max(0, size - _TOKEN_SIZE))
        answer: asyncio.Future[CheckResult] = self._loop.create_future()
        self._waiting[sequence] = Waiting(address, token, answer)
        try:
            self._send(address, sequence=sequence, payload=payload)
            sent()
            self._make_room()
            return await answer
        finally:
            del self._waiting[sequence]

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _send(self, address: IPAddress, *, sequence: int, payload: bytes) -> None:
        message = icmp.echo_request(self._family, identifier=self._identifier, sequence=sequence, payload=payload)
        try:
            self._socket.sendto(message, (str(address), 0))
        except OSError:
            # A datagram socket reports an earlier ICMP error at the next call: read these errors, then send again.
            self._read_problems()
            self._socket.sendto(message, (str(address), 0))

    def _make_room(self) -> None:
        """Read replies while many requests are sent at once, because the socket's buffer must not overflow."""
        self._unread += 1
        if self._unread >= _READ_EVERY:
            self._on_readable()

    def _free_sequence(self) -> int:
        for _ in range(1 << 16):
            self._sequence = (self._sequence + 1) & 0xFFFF
            if self._sequence not in self._waiting:
                return self._sequence
        raise BlockingIOError("more than 65,536 pings wait for their answers")

    def _on_readable(self) -> None:
        self._unread = 0
        for _ in range(_BATCH):
            try:
                packet, sender = self._socket.recvfrom(_BUFFER)
            except BlockingIOError:
                break
            except OSError:
                break  # an ICMP error; the error queue has its details
            self._receive(packet, str(sender[0]))
        if not self._is_raw:
            self._read_problems()

    def _receive(self, packet: bytes, sender: str) -> None:
        message = icmp.parse(self._family, packet, with_ip_header=self._is_raw and self._family is Family.INET)
        match message:
            case icmp.EchoReply(_, sequence, payload):
                self._replied(sequence, payload, sender)
            case icmp.EchoProblem(identifier, sequence, detail) if identifier == self._identifier:
                self._settle(sequence, Failed(FailureReason.UNREACHABLE, f"{detail} (reported by {sender})"))
            case _:
                pass

    def _replied(self, sequence: int, payload: bytes, sender: str) -> None:
        """Accept a reply with the token, from the address that was asked."""
        waiting = self._waiting.get(sequence)
        if waiting is None or not payload.startswith(waiting.token):
            return
        if ip_address(sender.partition("%")[0]) == waiting.address:
            self._settle(sequence, Passed("echo reply"))

    def _settle(self, sequence: int, result: CheckResult) -> None:
        waiting = self._waiting.get(sequence)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(result)

    def _read_problems(self) -> None:
        """Empty the error queue of a datagram socket, which has the failed requests with their errors (ip(7))."""
        for _ in range(_BATCH):
            try:
                request, ancillary, _, _ = self._socket.recvmsg(_BUFFER, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            for _level, _kind, data in ancillary:
                self._problem(request, data)

    def _problem(self, request: bytes, extended_error: bytes) -> None:
        if len(request) < 8 or len(extended_error) < _SOCK_EXTENDED_ERR.size:
            return
        number, origin, kind, code, _, _, _ = _SOCK_EXTENDED_ERR.unpack_from(extended_error)
        sequence = int.from_bytes(request[6:8])
        if origin in _FROM_ICMP:
            words = icmp.problem_words(self._family, kind=kind, code=code)
            self._settle(sequence, Failed(FailureReason.UNREACHABLE, words))
        else:
            self._settle(sequence, outcome_of(OSError(number, "echo request")))


def _open(family: Family) -> tuple[socket.socket, bool]:
    """An ICMP socket, and whether it is raw."""
    try:
        opened, is_raw = socket.socket(family, socket.SOCK_DGRAM, _PROTOCOL[family]), False
    except PermissionError:
        opened, is_raw = socket.socket(family, socket.SOCK_RAW, _PROTOCOL[family]), True
    try:
        opened.settimeout(0)
        _set_options(opened, family, is_raw=is_raw)
    except BaseException:
        opened.close()
        raise
    return opened, is_raw


def _set_options(opened: socket.socket, family: Family, *, is_raw: bool) -> None:
    """Let a raw socket receive only messages about echo requests, and a datagram socket all errors."""
    if not is_raw and family is Family.INET:
        opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    elif not is_raw:
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    elif family is Family.INET:
        blocked = 0xFFFFFFFF & ~sum(1 << kind for kind in _PASS_ICMP)
        opened.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", blocked))
    else:
        blocked = ((1 << 256) - 1) & ~sum(1 << kind for kind in _PASS_ICMPV6)
        words = [(blocked >> (32 * word)) & 0xFFFFFFFF for word in range(8)]
        opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("=8I", *words))
