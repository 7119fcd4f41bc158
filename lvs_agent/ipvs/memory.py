"""The backend without a kernel: a table in memory that refuses what Linux 7.2 refuses, with the same errno.

For demonstrations, dry runs and tests.  The contract tests compare it with a real kernel.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from threading import RLock
from types import MappingProxyType

from lvs_agent.errors import ipvs_error
from lvs_agent.ipvs.codec import encode
from lvs_agent.model.ipvs import (
    SCHEDULERS,
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    DestinationKey,
    ForwardingMethod,
    IPAddress,
    Operation,
    SchedulerFlag,
    Service,
    ServiceEntry,
    ServiceKey,
    Table,
    Tunnel,
    TunnelType,
    UpdateDestination,
    UpdateService,
    family_of,
    operation_name,
    service_of,
)
from lvs_agent.model.outline import Outline, outline_of
from lvs_agent.model.statistics import Counters, DestinationStatistics, KernelInfo, Rates, Statistics

_KNOWN_SCHEDULERS = frozenset({*SCHEDULERS, "none"})
_KNOWN_ENGINES = frozenset({"sip"})
_SCHEDULER_NAME_BYTES, _ENGINE_NAME_BYTES = 15, 16
_MAX_THRESHOLD = 2**31 - 1
_ALL_SCHEDULER_FLAGS = SchedulerFlag.FLAG_1 | SchedulerFlag.FLAG_2 | SchedulerFlag.FLAG_3
_MAPPED = IPv6Network("::ffff:0:0/96")
_NOT_COUNTED = DestinationStatistics(rates=Rates())


@dataclass(slots=True)
class _Entry:
    """A service and its variable parts."""

    service: Service
    counters: Counters = field(default_factory=Counters)
    destinations: dict[DestinationKey, Destination] = field(default_factory=dict)
    counted: dict[DestinationKey, DestinationStatistics] = field(default_factory=dict)


class MemoryIpvs:
    """The table starts empty.  ``sysctls`` are the settings below net.ipv4.vs that ``read_info`` returns.

    Unlike a connection to a kernel, one object is the table itself, so any number of threads may use it at once.
    """

    def __init__(self, *, sysctls: Mapping[str, int] = MappingProxyType({})) -> None:
        self._entries: dict[ServiceKey, _Entry] = {}
        self._totals = Counters()
        self._sysctls = MappingProxyType(dict(sysctls))
        self._lock = RLock()
        self._outline: Outline | None = None

    def read_table(self, services: Collection[ServiceKey] | None = None) -> Table:
        with self._lock:
            wanted = self._entries if services is None else dict.fromkeys(services)
            return Table(MappingProxyType({key: _frozen(self._entries[key]) for key in wanted if key in self._entries}))

    def read_outline(self) -> Outline:
        with self._lock:
            if self._outline is None:
                self._outline = outline_of(self.read_table())
            return self._outline

    def read_statistics(self) -> Statistics:
        with self._lock:
            return Statistics(
                self.read_table(),
                MappingProxyType({key: entry.counters for key, entry in self._entries.items()}),
                MappingProxyType(
                    {
                        (key, destination): entry.counted.get(destination, _NOT_COUNTED)
                        for key, entry in self._entries.items()
                        for destination in entry.destinations
                    }
                ),
                MappingProxyType({key: _rates(entry) for key, entry in self._entries.items()}),
            )

    def read_info(self) -> KernelInfo:
        return KernelInfo(version="1.2.1", connection_table_size=4096, totals=self._totals, sysctls=self._sysctls)

    def apply(self, operation: Operation) -> None:
        encode(operation)
        doing = f"{operation_name(operation).replace('_', ' ')} {service_of(operation)}"
        with self._lock:
            if number := self._refusal(operation):
                raise ipvs_error(number, doing)
            self._outline = None
            self._carry_out(operation)

    def close(self) -> None:
        """Do nothing: there is no socket."""

    def record(self, *, service: ServiceKey, destination: DestinationKey, statistics: DestinationStatistics) -> None:
        """Set the statistics of ``destination``.  The service and the totals grow by the same amounts.

        The rates of a service are the sums over its destinations.  Raises KeyError if there is no such destination.
        """
        with self._lock:
            entry = self._entries[service]
            key = entry.destinations[destination].key
            gained = _difference(statistics.counters, entry.counted.get(key, _NOT_COUNTED).counters)
            entry.counted[key] = statistics
            entry.counters = _sum(entry.counters, gained)
            self._totals = _sum(self._totals, gained)

    def _refusal(self, operation: Operation) -> int:
        """The errno with which the kernel would refuse ``operation``, or 0.  Checks come in the kernel's order."""
        match operation:
            case AddService(service) | UpdateService(service):
                return self._service_refusal(service, new=isinstance(operation, AddService))
            case DeleteService(key):
                return 0 if key in self._entries else errno.ESRCH
            case AddDestination(key, destination) | UpdateDestination(key, destination):
                return self._destination_refusal(key, destination, new=isinstance(operation, AddDestination))
            case DeleteDestination(key, destination_key):
                if key not in self._entries:
                    return errno.ESRCH
                return 0 if destination_key in self._entries[key].destinations else errno.ENOENT

    def _service_refusal(self, service: Service, *, new: bool) -> int:
        engine = service.persistence.engine if service.persistence else None
        if _too_long(service.scheduler, _SCHEDULER_NAME_BYTES) or _too_long(engine or "", _ENGINE_NAME_BYTES):
            return errno.EINVAL
        if new is (service.key in self._entries):
            return errno.EEXIST if new else errno.ESRCH
        if service.scheduler not in _KNOWN_SCHEDULERS or (engine and engine not in _KNOWN_ENGINES):
            return errno.ENOENT
        prefix = service.persistence.netmask if service.persistence else None
        return errno.EINVAL if isinstance(prefix, int) and not 1 <= prefix <= 128 else 0

    def _destination_refusal(self, key: ServiceKey, destination: Destination, *, new: bool) -> int:
        if key not in self._entries:
            return errno.ESRCH
        number = _value_refusal(destination, mixed=family_of(destination.key.address) is not key.family)
        if number:
            return number
        if new is (destination.key in self._entries[key].destinations):
            return errno.EEXIST if new else errno.ENOENT
        return errno.EINVAL if new and not _can_be_destination(destination.key.address) else 0

    def _carry_out(self, operation: Operation) -> None:
        match operation:
            case AddService(service):
                self._entries[service.key] = _Entry(_as_kept(service))
            case UpdateService(service):
                self._entries[service.key].service = _as_kept(service)
            case DeleteService(key):
                del self._entries[key]
            case AddDestination(key, destination) | UpdateDestination(key, destination):
                self._entries[key].destinations[destination.key] = _as_kept_destination(destination)
            case DeleteDestination(key, destination_key):
                del self._entries[key].destinations[destination_key]
                self._entries[key].counted.pop(destination_key, None)


def _frozen(entry: _Entry) -> ServiceEntry:
    return ServiceEntry(entry.service, MappingProxyType(dict(entry.destinations)))


def _rates(entry: _Entry) -> Rates:
    known = [counted.rates for counted in entry.counted.values() if counted.rates is not None]
    return Rates(
        connections=sum(rates.connections for rates in known),
        incoming_packets=sum(rates.incoming_packets for rates in known),
        outgoing_packets=sum(rates.outgoing_packets for rates in known),
        incoming_bytes=sum(rates.incoming_bytes for rates in known),
        outgoing_bytes=sum(rates.outgoing_bytes for rates in known),
    )


def _too_long(name: str, limit: int) -> bool:
    return len(name.encode()) > limit


def _value_refusal(destination: Destination, *, mixed: bool) -> int:
    tunnel = destination.tunnel if destination.forwarding is ForwardingMethod.TUNNEL else None
    if mixed and destination.forwarding is not ForwardingMethod.TUNNEL:
        return errno.EINVAL
    if destination.weight < 0 or destination.lower_threshold > destination.upper_threshold:
        return errno.ERANGE
    homeless = tunnel is not None and tunnel.type is TunnelType.GUE and not tunnel.port
    return errno.EINVAL if homeless or destination.upper_threshold > _MAX_THRESHOLD else 0


def _can_be_destination(address: IPAddress) -> bool:
    """Whether the kernel accepts ``address`` as a destination, on a director that does not have this address."""
    if isinstance(address, IPv4Address):
        return not (address.is_multicast or address.is_unspecified or address == IPv4Address(0xFFFFFFFF))
    return not (address.is_multicast or address.is_unspecified or address.is_link_local or _is_mapped(address))


def _is_mapped(address: IPv6Address) -> bool:
    return address in _MAPPED


def _as_kept(service: Service) -> Service:
    """``service`` as the kernel shows it later: no other flags, no empty name of an engine."""
    kept = service.persistence
    return replace(
        service,
        scheduler_flags=service.scheduler_flags & _ALL_SCHEDULER_FLAGS,
        persistence=replace(kept, engine=kept.engine or None) if kept else None,
    )


def _as_kept_destination(destination: Destination) -> Destination:
    """``destination`` as the kernel shows it later: encapsulation for tunnels, and nothing else."""
    if destination.forwarding is not ForwardingMethod.TUNNEL:
        return replace(destination, tunnel=None)
    return replace(destination, tunnel=destination.tunnel or Tunnel())


def _sum(left: Counters, right: Counters) -> Counters:
    return _combined(left, right, sign=1)


def _difference(left: Counters, right: Counters) -> Counters:
    return _combined(left, right, sign=-1)


def _combined(left: Counters, right: Counters, *, sign: int) -> Counters:
    return Counters(
        connections=left.connections + sign * right.connections,
        incoming_packets=left.incoming_packets + sign * right.incoming_packets,
        outgoing_packets=left.outgoing_packets + sign * right.outgoing_packets,
        incoming_bytes=left.incoming_bytes + sign * right.incoming_bytes,
        outgoing_bytes=left.outgoing_bytes + sign * right.outgoing_bytes,
    )
