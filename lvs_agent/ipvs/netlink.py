"""The backend on a real kernel: requests to IPVS's generic netlink family, and procfs for what netlink lacks.

The socket belongs to the network namespace of the thread that makes the backend.  It is a plain socket: docs/adr/0006
explains what pyroute2 would cost here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from lvs_agent.errors import ModuleMissing, NoSuchEntry
from lvs_agent.ipvs import wire
from lvs_agent.ipvs.codec import (
    Request,
    decode_daemon,
    decode_info,
    decode_service,
    encode,
    get_destinations,
    get_service,
)
from lvs_agent.ipvs.conversation import Conversation
from lvs_agent.ipvs.procfs import MODULE_REMEDY, Procfs, kernel_ticks
from lvs_agent.ipvs.rows import DestinationReader, DestinationRow, Heads
from lvs_agent.ipvs.uapi import FAMILY_NAME, FAMILY_VERSION, Command
from lvs_agent.model.ipvs import (
    DestinationKey,
    Operation,
    Service,
    ServiceEntry,
    ServiceKey,
    Table,
    operation_name,
    service_of,
)
from lvs_agent.model.outline import Outline
from lvs_agent.model.statistics import Counters, DestinationStatistics, KernelInfo, Rates, Statistics

_Row = TypeVar("_Row")
_CountedService = tuple[Service, Counters, Rates | None]
_CTRL_GETFAMILY, _CTRL_FAMILY_ID, _CTRL_FAMILY_NAME, _CTRL_VERSION = 3, 1, 2, 1
_NETLINK_GENERIC = 16
_RECEIVE_BUFFER = 1 << 20


class KernelIpvs:
    """The table of this network namespace's kernel.

    ``procfs`` is where procfs is mounted; ``timeout_s`` bounds every wait for an answer.

    Raises:
        ModuleMissing: the running kernel has no ip_vs loaded.
    """

    def __init__(self, *, procfs: Path = Path("/proc"), timeout_s: float = 5.0) -> None:
        self._procfs = Procfs(root=procfs, ticks=kernel_ticks())
        link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_GENERIC)
        self._conversation = Conversation(link, timeout_s=timeout_s)
        try:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            link.connect((0, 0))
            self._family = self._resolve_family()
        except BaseException:
            link.close()
            raise
        self._heads: Heads = {}

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
        self._conversation.close()

    def _read(self, services: Collection[ServiceKey] | None) -> Statistics:
        entries: dict[ServiceKey, ServiceEntry] = {}
        counters: dict[ServiceKey, Counters] = {}
        destination_counters: dict[tuple[ServiceKey, DestinationKey], DestinationStatistics] = {}
        rates: dict[ServiceKey, Rates] = {}
        # Each thread that reads has its own reader.  It does not matter which of them is remembered.
        reader = DestinationReader(self._heads)
        for service, counted, estimated in self._services() if services is None else self._named_services(services):
            key = service.key
            rows = self._destinations(key, reader)
            entries[key] = ServiceEntry(service, MappingProxyType({row.key: row for row, _ in rows}))
            counters[key] = counted
            if estimated is not None:
                rates[key] = estimated
            destination_counters.update(((key, row.key), numbers) for row, numbers in rows)
        self._heads = reader.seen
        return Statistics(
            Table(MappingProxyType(entries)),
            MappingProxyType(counters),
            MappingProxyType(destination_counters),
            MappingProxyType(rates),
        )

    def _services(self) -> list[_CountedService]:
        return self._dump(Request(Command.GET_SERVICE, b""), decode_service, doing="read services")

    def _named_services(self, keys: Iterable[ServiceKey]) -> list[_CountedService]:
        found = []
        for key in dict.fromkeys(keys):
            try:
                payloads = self._request(get_service(key), doing=f"read {key}")
            except NoSuchEntry:
                continue
            found += [row for payload in payloads if (row := decode_service(payload)) is not None]
        return found

    def _destinations(self, key: ServiceKey, reader: DestinationReader) -> list[DestinationRow]:
        decode = partial(reader.read, family=key.family)
        return self._dump(get_destinations(key), decode, doing=f"read destinations of {key}")

    def _dump(self, request: Request, decode: Callable[[bytes], _Row | None], *, doing: str) -> list[_Row]:
        """All rows that ``decode`` can express."""
        payloads = self._ask(self._conversation.dump, request, doing=doing)
        return [row for row in map(decode, payloads) if row is not None]

    def _request(self, request: Request, *, doing: str) -> list[bytes]:
        return self._ask(self._conversation.request, request, doing=doing)

    def _ask(self, ask: Callable[..., list[bytes]], request: Request, *, doing: str) -> list[bytes]:
        """Ask IPVS; once more if its family has another number, because the module was unloaded and loaded again."""
        while True:
            family = self._family
            try:
                return ask(
                    family=family,
                    command=request.command,
                    version=FAMILY_VERSION,
                    attributes=request.attributes,
                    doing=doing,
                )
            except NoSuchEntry as error:
                # A service or destination that is not there looks the same in some kernels.
                if error.errno_name != "ENOENT" or (found := self._resolve_family()) == family:
                    raise
                self._family = found

    def _resolve_family(self) -> int:
        """The number of the IPVS family in this kernel.  For root, the request makes the kernel load the module."""
        try:
            answer = self._conversation.request(
                family=wire.GENL_ID_CTRL,
                command=_CTRL_GETFAMILY,
                version=_CTRL_VERSION,
                attributes=wire.text(_CTRL_FAMILY_NAME, FAMILY_NAME),
                doing="look for IPVS",
            )
        except NoSuchEntry as error:
            raise ModuleMissing(MODULE_REMEDY, errno_name=error.errno_name) from error
        return wire.read_number(wire.generic_attributes(b"".join(answer[:1])), _CTRL_FAMILY_ID, size=2)
