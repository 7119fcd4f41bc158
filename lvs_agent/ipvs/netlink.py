"""The backend on a real kernel: requests to IPVS's generic netlink family, and procfs for what netlink lacks.

The socket is pyroute2's, in the network namespace that the calling thread has when the backend is made.  Messages
go past pyroute2's decoder: it takes some twenty times as long as the walk over the attributes that are needed.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pyroute2.netns import create_socket

from lvs_agent.errors import IpvsError, ModuleMissing, NoSuchEntry, NotPermitted, Unavailable, ipvs_error
from lvs_agent.ipvs import wire
from lvs_agent.ipvs.codec import (
    Request,
    decode_daemon,
    decode_destination,
    decode_info,
    decode_service,
    encode,
    get_destinations,
    get_service,
)
from lvs_agent.ipvs.procfs import MODULE_REMEDY, Procfs, kernel_ticks
from lvs_agent.ipvs.uapi import FAMILY_NAME, FAMILY_VERSION, Command
from lvs_agent.model.ipvs import (
    Counters,
    Destination,
    DestinationKey,
    DestinationStatistics,
    KernelInfo,
    Operation,
    Service,
    ServiceEntry,
    ServiceKey,
    Statistics,
    Table,
    operation_name,
    service_of,
)
from lvs_agent.model.outline import Outline

_Row = TypeVar("_Row")
_CTRL_GETFAMILY, _CTRL_FAMILY_ID, _CTRL_FAMILY_NAME, _CTRL_VERSION = 3, 1, 2, 1
_NETLINK_GENERIC = 16
_DATAGRAM = 1 << 16
_RECEIVE_BUFFER = 1 << 20
_ATTEMPTS = 5


class _Interrupted(Exception):
    """The table changed under a dump, or part of a dump was lost: ask again."""


class KernelIpvs:
    """The table of this network namespace's kernel.

    ``procfs`` is where procfs is mounted; ``timeout_s`` bounds every wait for an answer.

    Raises:
        ModuleMissing: the running kernel has no ip_vs loaded.
    """

    def __init__(self, *, procfs: Path = Path("/proc"), timeout_s: float = 5.0) -> None:
        self._procfs = Procfs(root=procfs, ticks=kernel_ticks())
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._sequence = 0
        self._socket: socket.socket = create_socket(
            netns=None,
            family=socket.AF_NETLINK,
            socket_type=socket.SOCK_RAW | socket.SOCK_CLOEXEC,
            proto=_NETLINK_GENERIC,
        )
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._socket.bind((0, 0))
            self._family = self._resolve_family()
        except BaseException:
            self._socket.close()
            raise

    def read_table(self, services: Collection[ServiceKey] | None = None) -> Table:
        return self._read(services).table

    def read_statistics(self) -> Statistics:
        return self._read(None)

    def read_outline(self) -> Outline:
        return self._procfs.read_outline()

    def read_info(self) -> KernelInfo:
        answer = self._request(Request(Command.GET_INFO, b""), doing="read the version of IPVS")
        version, size = decode_info(b"".join(answer[:1]))
        daemons = self._dump(Request(Command.GET_DAEMON, b""), decode_daemon, doing="read synchronisation daemons")
        return KernelInfo(
            version=version,
            connection_table_size=size,
            totals=self._procfs.read_totals(),
            sysctls=MappingProxyType(self._procfs.read_sysctls()),
            sync_daemons=tuple(daemons),
        )

    def apply(self, operation: Operation) -> None:
        doing = f"{operation_name(operation).replace('_', ' ')} {service_of(operation)}"
        self._request(encode(operation), doing=doing)

    def close(self) -> None:
        self._socket.close()

    def _read(self, services: Collection[ServiceKey] | None) -> Statistics:
        entries: dict[ServiceKey, ServiceEntry] = {}
        counters: dict[ServiceKey, Counters] = {}
        destination_counters: dict[tuple[ServiceKey, DestinationKey], DestinationStatistics] = {}
        for service, counted in self._services() if services is None else self._named_services(services):
            key = service.key
            rows = self._destinations(key)
            entries[key] = ServiceEntry(service, MappingProxyType({row.key: row for row, _ in rows}))
            counters[key] = counted
            destination_counters.update(((key, row.key), numbers) for row, numbers in rows)
        return Statistics(
            Table(MappingProxyType(entries)), MappingProxyType(counters), MappingProxyType(destination_counters)
        )

    def _services(self) -> list[tuple[Service, Counters]]:
        return self._dump(Request(Command.GET_SERVICE, b""), decode_service, doing="read services")

    def _named_services(self, keys: Iterable[ServiceKey]) -> list[tuple[Service, Counters]]:
        found = []
        for key in dict.fromkeys(keys):
            try:
                payloads = self._request(get_service(key), doing=f"read {key}")
            except NoSuchEntry:
                continue
            found += [row for payload in payloads if (row := decode_service(payload)) is not None]
        return found

    def _destinations(self, key: ServiceKey) -> list[tuple[Destination, DestinationStatistics]]:
        def decode(payload: bytes) -> tuple[Destination, DestinationStatistics] | None:
            return decode_destination(payload, family=key.family)

        return self._dump(get_destinations(key), decode, doing=f"read destinations of {key}")

    def _dump(self, request: Request, decode: Callable[[bytes], _Row | None], *, doing: str) -> list[_Row]:
        """Every row that ``decode`` has a word for."""
        for _ in range(_ATTEMPTS):
            try:
                payloads = self._exchange(request, flags=wire.NLM_F_DUMP, doing=doing)
            except _Interrupted:
                continue
            return [row for row in map(decode, payloads) if row is not None]
        raise Unavailable(f"{doing}: the table changed {_ATTEMPTS} times while it was read", errno_name="EINTR")

    def _request(self, request: Request, *, doing: str) -> list[bytes]:
        """Payloads of the answer to a request that is no dump.  It is never repeated: it may have been carried out."""
        try:
            return self._exchange(request, flags=wire.NLM_F_ACK, doing=doing)
        except _Interrupted as error:
            raise Unavailable(f"{doing}: the answer was lost", errno_name="ENOBUFS") from error

    def _resolve_family(self) -> int:
        message = wire.generic_request(
            family=wire.GENL_ID_CTRL,
            command=_CTRL_GETFAMILY,
            version=_CTRL_VERSION,
            flags=wire.NLM_F_ACK,
            sequence=self._next_sequence(),
            attributes=wire.text(_CTRL_FAMILY_NAME, FAMILY_NAME),
        )
        try:
            answer = self._converse(message, doing="look for IPVS")
        except NoSuchEntry as error:
            raise ModuleMissing(MODULE_REMEDY, errno_name=error.errno_name) from error
        return wire.read_number(wire.generic_attributes(b"".join(answer[:1])), _CTRL_FAMILY_ID, size=2)

    def _exchange(self, request: Request, *, flags: int, doing: str) -> list[bytes]:
        with self._lock:
            message = wire.generic_request(
                family=self._family,
                command=request.command,
                version=FAMILY_VERSION,
                flags=flags,
                sequence=self._next_sequence(),
                attributes=request.attributes,
            )
            return self._converse(message, doing=doing)

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        return self._sequence

    def _converse(self, message: bytes, *, doing: str) -> list[bytes]:
        """Send ``message`` and collect the payloads up to its acknowledgement or the end of its dump."""
        try:
            self._socket.sendto(message, (0, 0))
            return self._collect(deadline=time.monotonic() + self._timeout_s, doing=doing)
        except TimeoutError as error:
            raise Unavailable(f"{doing}: no answer within {self._timeout_s:g} s", errno_name="ETIMEDOUT") from error
        except OSError as error:
            raise Unavailable(f"{doing}: {error.strerror}", errno_name=_name(error.errno)) from error

    def _collect(self, *, deadline: float, doing: str) -> list[bytes]:
        payloads: list[bytes] = []
        interrupted = False
        while True:
            datagram = self._receive(deadline)
            # What is left of an exchange that was given up does not count.
            for message in wire.messages(datagram or b""):
                if message.sequence != self._sequence:
                    continue
                interrupted |= bool(message.flags & wire.NLM_F_DUMP_INTR)
                if message.type in (wire.NLMSG_ERROR, wire.NLMSG_DONE):
                    return _finished(message, payloads, interrupted=interrupted, doing=doing)
                payloads.append(message.payload)
            interrupted |= datagram is None

    def _receive(self, deadline: float) -> bytes | None:
        """The next datagram, or None where the socket's buffer ran over and something was lost."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        try:
            return self._socket.recv(_DATAGRAM)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return None
            raise


def _name(number: int | None) -> str:
    return errno.errorcode.get(number or 0, "unknown")


def _finished(message: wire.Message, payloads: list[bytes], *, interrupted: bool, doing: str) -> list[bytes]:
    """The collected payloads, unless the last message says that they are not to be had."""
    number = wire.error_number(message.payload)
    # EBUSY: the socket still carries a dump that was given up; it ends when it has been read.
    if interrupted or number == errno.EBUSY:
        raise _Interrupted
    if number:
        raise _explained(ipvs_error(number, doing))
    return payloads


def _explained(error: IpvsError) -> IpvsError:
    if isinstance(error, NotPermitted):
        return NotPermitted(f"{error}: this needs the capability CAP_NET_ADMIN", errno_name=error.errno_name)
    return error
