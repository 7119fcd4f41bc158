"""IPVS rows and operations to netlink attributes and back.  Pure: bytes in, bytes and values out.

Reading is lenient, because directors run kernels from 4.18 on: unknown attributes are skipped, a missing optional
attribute has the value that such a kernel uses, and a row that the model cannot express (an unknown forwarding method)
is None.  Malformed bytes raise Unavailable.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from lvs_agent.errors import Refused
from lvs_agent.ipvs.counted import read_counted
from lvs_agent.ipvs.uapi import (
    DAEMON_INTERFACE,
    DAEMON_ROLES,
    DAEMON_STATE,
    F_ONEPACKET,
    F_PERSISTENT,
    F_SCHEDULER,
    F_SETTABLE,
    FORWARDING_MASK,
    INFO_TABLE_SIZE,
    INFO_VERSION,
    MAX_TIMEOUT_S,
    TUNNEL_CSUM,
    TUNNEL_REMCSUM,
    Command,
    Dest,
    Svc,
    Top,
)
from lvs_agent.ipvs.wire import (
    Attributes,
    attribute,
    generic_attributes,
    nested,
    number,
    number_bytes,
    read_number,
    read_text,
    text,
    unreadable,
    walk,
)
from lvs_agent.model.ipvs import (
    PROTOCOL_BY_NUMBER,
    AddDestination,
    AddressKey,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    DestinationKey,
    Family,
    ForwardingMethod,
    FwmarkKey,
    IPAddress,
    Operation,
    Persistence,
    Protocol,
    SchedulerFlag,
    Service,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    UpdateDestination,
    UpdateService,
    family_of,
)
from lvs_agent.model.statistics import Counters, DestinationStatistics, Rates, SyncDaemon

_FORWARDING = dict(enumerate(ForwardingMethod))
_TUNNELS = dict(enumerate(TunnelType))


class Request(NamedTuple):
    """A command with its attributes."""

    command: Command
    attributes: bytes


# --- requests ----------------------------------------------------------------------------------------------------


def encode(operation: Operation) -> Request:
    """The request for ``operation``.

    Raises Refused for a value that the kernel would not refuse, but silently treat as a different one: ERANGE for a
    number that is too large for its attribute, a mark of 0 or a timeout that the kernel's clock cannot count; EINVAL
    for a netmask of the other family.
    """
    try:
        return _encode(operation)
    except OverflowError as error:
        raise Refused(f"value out of range in {operation}: ERANGE", errno_name="ERANGE") from error


def _encode(operation: Operation) -> Request:
    match operation:
        case AddService(service):
            return Request(Command.NEW_SERVICE, _whole_service(service))
        case UpdateService(service):
            return Request(Command.SET_SERVICE, _whole_service(service))
        case DeleteService(key):
            return Request(Command.DEL_SERVICE, _service_key(key))
        case AddDestination(key, destination):
            return Request(Command.NEW_DEST, _service_key(key) + _whole_destination(destination))
        case UpdateDestination(key, destination):
            return Request(Command.SET_DEST, _service_key(key) + _whole_destination(destination))
        case DeleteDestination(key, destination_key):
            return Request(Command.DEL_DEST, _service_key(key) + nested(Top.DEST, *_destination_key(destination_key)))


def get_service(key: ServiceKey) -> Request:
    """The request for one service."""
    return Request(Command.GET_SERVICE, _service_key(key))


def get_destinations(key: ServiceKey) -> Request:
    """The request for a dump of the destinations of one service."""
    return Request(Command.GET_DEST, _service_key(key))


def _service_key(key: ServiceKey) -> bytes:
    return nested(Top.SERVICE, *_identity(key))


def _identity(key: ServiceKey) -> tuple[bytes, ...]:
    family = number(Svc.AF, key.family, 2)
    match key:
        case AddressKey(protocol, address, port):
            return (
                family,
                number(Svc.PROTOCOL, protocol.number, 2),
                attribute(Svc.ADDR, _address(address)),
                attribute(Svc.PORT, port.to_bytes(2, "big")),
            )
        case FwmarkKey(0):
            raise OverflowError
        case FwmarkKey(mark):
            return family, number(Svc.FWMARK, mark, 4)


def _whole_service(service: Service) -> bytes:
    flags = int(service.scheduler_flags) & F_SCHEDULER
    flags |= (F_PERSISTENT if service.persistence else 0) | (F_ONEPACKET if service.one_packet else 0)
    return nested(
        Top.SERVICE,
        *_identity(service.key),
        text(Svc.SCHED_NAME, service.scheduler),
        attribute(Svc.FLAGS, number_bytes(flags, 4) + number_bytes(F_SETTABLE, 4)),
        *_persistence(service.persistence or _no_persistence(service.key.family), family=service.key.family),
    )


def _no_persistence(family: Family) -> Persistence:
    """The attributes for a service without persistence: the kernel checks the prefix length even then."""
    return Persistence(timeout_s=0, netmask=IPv4Address(0xFFFFFFFF) if family is Family.INET else 128)


def _persistence(persistence: Persistence, *, family: Family) -> tuple[bytes, ...]:
    netmask, timeout_s = persistence.netmask, persistence.timeout_s
    if isinstance(netmask, IPv4Address) is not (family is Family.INET):
        raise Refused(f"netmask {netmask} for {family.word}: EINVAL", errno_name="EINVAL")
    if timeout_s > MAX_TIMEOUT_S:
        raise OverflowError
    return (
        number(Svc.TIMEOUT, timeout_s, 4),
        attribute(Svc.NETMASK, netmask.packed if isinstance(netmask, IPv4Address) else number_bytes(netmask, 4)),
        text(Svc.PE_NAME, persistence.engine) if persistence.engine else b"",
    )


def _address(address: IPAddress) -> bytes:
    return address.packed.ljust(16, b"\0")


def _destination_key(key: DestinationKey) -> tuple[bytes, ...]:
    return (
        number(Dest.ADDR_FAMILY, family_of(key.address), 2),
        attribute(Dest.ADDR, _address(key.address)),
        attribute(Dest.PORT, key.port.to_bytes(2, "big")),
    )


def _whole_destination(destination: Destination) -> bytes:
    tunnel = destination.tunnel if destination.forwarding is ForwardingMethod.TUNNEL else None
    return nested(
        Top.DEST,
        *_destination_key(destination.key),
        number(Dest.FWD_METHOD, destination.forwarding.number, 4),
        # The kernel has an int here: it refuses a negative weight itself.
        attribute(Dest.WEIGHT, destination.weight.to_bytes(4, sys.byteorder, signed=True)),
        number(Dest.U_THRESH, destination.upper_threshold, 4),
        number(Dest.L_THRESH, destination.lower_threshold, 4),
        *(() if tunnel is None else _tunnel(tunnel)),
    )


def _tunnel(tunnel: Tunnel) -> tuple[bytes, ...]:
    return (
        number(Dest.TUN_TYPE, tunnel.type.number, 1),
        attribute(Dest.TUN_PORT, tunnel.port.to_bytes(2, "big")),
        number(Dest.TUN_FLAGS, tunnel.checksum.number, 2),
    )


# --- replies: decode_... takes a message's payload ----------------------------------------------------------------


def decode_service(payload: bytes) -> tuple[Service, Counters, Rates | None] | None:
    """A service with its counters and rates; None for one that the model cannot express."""
    found = _row(payload, Top.SERVICE)
    key = _read_service_key(found)
    if key is None:
        return None
    flags = int.from_bytes(_sized(found, Svc.FLAGS, 8)[:4], sys.byteorder)
    service = Service(
        key=key,
        scheduler=read_text(found, Svc.SCHED_NAME),
        scheduler_flags=SchedulerFlag(flags & F_SCHEDULER),
        persistence=_read_persistence(found, key.family) if flags & F_PERSISTENT else None,
        one_packet=bool(flags & F_ONEPACKET),
    )
    return service, *read_counted(found.get(Svc.STATS64))


def decode_destination(payload: bytes, *, family: Family) -> tuple[Destination, DestinationStatistics] | None:
    """A destination of a service of ``family`` with its counters; None for one that the model cannot express."""
    found = _row(payload, Top.DEST)
    destination = destination_of(found, family=family)
    if destination is None:
        return None
    counters, rates = read_counted(found.get(Dest.STATS64))
    return destination, DestinationStatistics(
        counters=counters,
        rates=rates,
        active_connections=read_number(found, Dest.ACTIVE_CONNS, size=4, default=0),
        inactive_connections=read_number(found, Dest.INACT_CONNS, size=4, default=0),
        persistent_connections=read_number(found, Dest.PERSIST_CONNS, size=4, default=0),
    )


def destination_of(found: Attributes, *, family: Family) -> Destination | None:
    """The destination in the attributes of a row, without its counters; None as above."""
    forwarding = _FORWARDING.get(read_number(found, Dest.FWD_METHOD, size=4) & FORWARDING_MASK)
    tunnel_type = _TUNNELS.get(read_number(found, Dest.TUN_TYPE, size=1, default=0))
    own_family = read_number(found, Dest.ADDR_FAMILY, size=2, default=family)
    if forwarding is None or tunnel_type is None or own_family not in (Family.INET, Family.INET6):
        return None
    return Destination(
        key=_destination_key_of(_sized(found, Dest.ADDR, 16), own_family, _sized(found, Dest.PORT, 2)),
        forwarding=forwarding,
        weight=int.from_bytes(_sized(found, Dest.WEIGHT, 4), sys.byteorder, signed=True),
        upper_threshold=read_number(found, Dest.U_THRESH, size=4),
        lower_threshold=read_number(found, Dest.L_THRESH, size=4),
        tunnel=_read_tunnel(found, tunnel_type) if forwarding is ForwardingMethod.TUNNEL else None,
    )


def decode_info(payload: bytes) -> tuple[str, int]:
    """The version of IPVS (``"1.2.1"``) and the size of its connection table."""
    found = generic_attributes(payload)
    version = read_number(found, INFO_VERSION, size=4)
    size = read_number(found, INFO_TABLE_SIZE, size=4)
    return f"{version >> 16 & 0xFF}.{version >> 8 & 0xFF}.{version & 0xFF}", size


def decode_daemon(payload: bytes) -> SyncDaemon | None:
    """A running synchronisation daemon; None for an unknown state."""
    found = _row(payload, Top.DAEMON)
    role = DAEMON_ROLES.get(read_number(found, DAEMON_STATE, size=4))
    return None if role is None else SyncDaemon(role=role, interface=read_text(found, DAEMON_INTERFACE))


def _row(payload: bytes, kind: Top) -> Attributes:
    outer = generic_attributes(payload)
    if kind not in outer:
        raise unreadable(f"no {kind.name.lower()} in it")
    return walk(outer[kind])


def _sized(found: Attributes, kind: int, size: int) -> bytes:
    payload = found.get(kind)
    if payload is None or len(payload) < size:
        raise unreadable(f"attribute {kind} is {'missing' if payload is None else 'too short'}")
    return payload[:size]


def _read_service_key(found: Attributes) -> ServiceKey | None:
    family = read_number(found, Svc.AF, size=2)
    if family not in (Family.INET, Family.INET6):
        return None
    mark = read_number(found, Svc.FWMARK, size=4, default=0)
    if mark:
        return FwmarkKey(mark, Family(family))
    protocol = PROTOCOL_BY_NUMBER.get(read_number(found, Svc.PROTOCOL, size=2))
    if protocol is None:
        return None
    return _address_key_of(protocol, _sized(found, Svc.ADDR, 16), family, _sized(found, Svc.PORT, 2))


def _read_persistence(found: Attributes, family: Family) -> Persistence:
    mask = _sized(found, Svc.NETMASK, 4)
    return Persistence(
        timeout_s=read_number(found, Svc.TIMEOUT, size=4),
        netmask=IPv4Address(mask) if family is Family.INET else int.from_bytes(mask, sys.byteorder),
        engine=read_text(found, Svc.PE_NAME) or None,
    )


@lru_cache(maxsize=65_536)
def _read_address(packed: bytes, family: int) -> IPAddress:
    return IPv4Address(packed[:4]) if family == Family.INET else IPv6Address(packed)


# The same row has the same key object in each reading, so that comparing keys of two readings is fast.
@lru_cache(maxsize=65_536)
def _destination_key_of(address: bytes, family: int, port: bytes) -> DestinationKey:
    return DestinationKey(_read_address(address, family), int.from_bytes(port, "big"))


@lru_cache(maxsize=8_192)
def _address_key_of(protocol: Protocol, address: bytes, family: int, port: bytes) -> AddressKey:
    return AddressKey(protocol, _read_address(address, family), int.from_bytes(port, "big"))


def _read_tunnel(found: Attributes, kind: TunnelType) -> Tunnel:
    flags = read_number(found, Dest.TUN_FLAGS, size=2, default=0)
    checksum = TunnelChecksum.CSUM if flags & TUNNEL_CSUM else TunnelChecksum.NONE
    port = int.from_bytes(found.get(Dest.TUN_PORT, b""), "big")
    return Tunnel(type=kind, port=port, checksum=TunnelChecksum.REMCSUM if flags & TUNNEL_REMCSUM else checksum)
