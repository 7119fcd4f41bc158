"""The IPVS table as the kernel has it: keys, services, destinations and operations.

Rows never carry health.  The kernel finds a row by its key (``...Key``); an update may change the rest of the row.
Unknown values from the kernel (such as a new scheduler) are kept as they are, so that reading a foreign table cannot
fail.  Source of names and numbers: ``include/uapi/linux/ip_vs.h``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6
from types import MappingProxyType

IPAddress = IPv4Address | IPv6Address

MAX_WEIGHT = 65_535
"""Largest weight that ipvsadm accepts; the kernel stores an int."""


class Family(IntEnum):
    """Address family; the value is the kernel's ``AF_*``."""

    INET = AF_INET
    INET6 = AF_INET6

    @property
    def word(self) -> str:
        """``"inet"`` or ``"inet6"``."""
        return self.name.lower()


def family_of(address: IPAddress) -> Family:
    """The family that ``address`` belongs to."""
    return Family.INET if address.version == 4 else Family.INET6


class Protocol(Enum):
    """Transport protocol of a service; the value is the word, ``number`` is the IP protocol number."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"

    @property
    def number(self) -> int:
        return _PROTOCOL_NUMBERS[self]


_PROTOCOL_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.SCTP: 132}
PROTOCOL_BY_NUMBER: Mapping[int, Protocol] = MappingProxyType({n: p for p, n in _PROTOCOL_NUMBERS.items()})


def address_and_port(address: IPAddress, port: int) -> str:
    """``"10.0.0.1:80"``, or ``"[2001:db8::1]:80"``."""
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


@dataclass(frozen=True, slots=True, order=False)
class AddressKey:
    """A service that the kernel finds by protocol, address and port."""

    protocol: Protocol
    address: IPAddress
    port: int

    @property
    def family(self) -> Family:
        return family_of(self.address)

    def __str__(self) -> str:
        return f"{self.protocol.value}/{address_and_port(self.address, self.port)}"


@dataclass(frozen=True, slots=True)
class FwmarkKey:
    """A service that the kernel finds by firewall mark (1 to 2**32 - 1) and address family."""

    mark: int
    family: Family

    def __str__(self) -> str:
        return f"fwm/{self.mark}/{self.family.word}"


ServiceKey = AddressKey | FwmarkKey


@dataclass(frozen=True, slots=True)
class DestinationKey:
    """A destination within a service.  Port 0 means "the port the client asked for" (fwmark services)."""

    address: IPAddress
    port: int

    def __str__(self) -> str:
        return address_and_port(self.address, self.port)


class SchedulerFlag(IntFlag):
    """The three flags for schedulers (``IP_VS_SVC_F_SCHED1`` to ``3``); each scheduler defines their meaning."""

    NONE = 0
    FLAG_1 = 0x08
    FLAG_2 = 0x10
    FLAG_3 = 0x20


SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
"""Schedulers of Linux up to 7.2, in ipvsadm's order."""

SCHEDULER_FLAG_NAMES: Mapping[str, SchedulerFlag] = MappingProxyType(
    {
        "flag-1": SchedulerFlag.FLAG_1,
        "flag-2": SchedulerFlag.FLAG_2,
        "flag-3": SchedulerFlag.FLAG_3,
        "sh-fallback": SchedulerFlag.FLAG_1,
        "sh-port": SchedulerFlag.FLAG_2,
        "mh-fallback": SchedulerFlag.FLAG_1,
        "mh-port": SchedulerFlag.FLAG_2,
    }
)
"""Flags as ipvsadm's ``--sched-flags`` names them; the name begins with the name of the scheduler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """Clients keep their real server for ``timeout_s`` seconds (1 and up) after their last connection.

    ``netmask`` says how much of the client's address counts: an IPv4 mask, or for IPv6 a prefix length (1 to 128).
    ``engine`` names a persistence engine (``"sip"``), or is None.
    """

    timeout_s: int
    netmask: IPv4Address | int
    engine: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One virtual service row.  ``persistence`` None means that no connection is tied to an earlier one."""

    key: ServiceKey
    scheduler: str
    scheduler_flags: SchedulerFlag = SchedulerFlag.NONE
    persistence: Persistence | None = None
    one_packet: bool = False


class ForwardingMethod(Enum):
    """How packets reach the destination; ``number`` is the kernel's ``IP_VS_CONN_F_*``."""

    MASQUERADE = "masquerade"
    LOCAL = "local"
    TUNNEL = "tunnel"
    DIRECT = "direct"
    BYPASS = "bypass"

    @property
    def number(self) -> int:
        return _FORWARDING_ORDER.index(self)


_FORWARDING_ORDER = tuple(ForwardingMethod)


class TunnelType(Enum):
    """Encapsulation of a tunnelled destination; ``number`` is ``IP_VS_CONN_F_TUNNEL_TYPE_*``."""

    IPIP = "ipip"
    GUE = "gue"
    GRE = "gre"

    @property
    def number(self) -> int:
        return _TUNNEL_ORDER.index(self)


_TUNNEL_ORDER = tuple(TunnelType)


class TunnelChecksum(Enum):
    """Checksum of a GUE or GRE tunnel header; ``number`` is the kernel's ``IP_VS_TUNNEL_ENCAP_FLAG_*``."""

    NONE = "none"
    CSUM = "csum"
    REMCSUM = "remcsum"

    @property
    def number(self) -> int:
        return _CHECKSUM_ORDER.index(self)


_CHECKSUM_ORDER = tuple(TunnelChecksum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """Encapsulation of a destination whose forwarding method is TUNNEL.  ``port`` is GUE's UDP port, else 0."""

    type: TunnelType = TunnelType.IPIP
    port: int = 0
    checksum: TunnelChecksum = TunnelChecksum.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One real server row.  ``tunnel`` is set exactly when ``forwarding`` is TUNNEL; thresholds: 0 means none."""

    key: DestinationKey
    forwarding: ForwardingMethod
    weight: int
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel: Tunnel | None = None


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """A service with its destinations."""

    service: Service
    destinations: Mapping[DestinationKey, Destination] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Table:
    """A whole IPVS table, or the requested part of it."""

    entries: Mapping[ServiceKey, ServiceEntry] = field(default_factory=lambda: MappingProxyType({}))


# --- changes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddService:
    """A service to add."""

    service: Service


@dataclass(frozen=True, slots=True)
class UpdateService:
    """``changed`` names the fields that differ from what the kernel has, for the log."""

    service: Service
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteService:
    """A service to delete with all its destinations."""

    key: ServiceKey


@dataclass(frozen=True, slots=True)
class AddDestination:
    """A destination to add to a service."""

    service: ServiceKey
    destination: Destination


@dataclass(frozen=True, slots=True)
class UpdateDestination:
    """``changed`` names the fields that differ from what the kernel has, for the log."""

    service: ServiceKey
    destination: Destination
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteDestination:
    """A destination to delete from a service."""

    service: ServiceKey
    key: DestinationKey


Operation = AddService | UpdateService | DeleteService | AddDestination | UpdateDestination | DeleteDestination


def operation_name(operation: Operation) -> str:
    """The word for an operation in metrics and logs: ``"add_service"``, ``"update_destination"``, ..."""
    return _OPERATION_NAMES[type(operation)]


_OPERATION_NAMES: Mapping[type, str] = MappingProxyType(
    {
        AddService: "add_service",
        UpdateService: "update_service",
        DeleteService: "delete_service",
        AddDestination: "add_destination",
        UpdateDestination: "update_destination",
        DeleteDestination: "delete_destination",
    }
)
OPERATION_NAMES = tuple(_OPERATION_NAMES.values())


def service_of(operation: Operation) -> ServiceKey:
    """The service that an operation changes."""
    match operation:
        case AddService(service) | UpdateService(service):
            return service.key
        case DeleteService(key):
            return key
        case AddDestination(service_key) | UpdateDestination(service_key) | DeleteDestination(service_key):
            return service_key
