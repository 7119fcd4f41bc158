"""The outline of a table: the part that /proc/net/ip_vs shows, cheap to read and enough to notice most changes.

The outline has no thresholds, tunnel attributes or address family of fwmark services; two different tables may have
equal outlines.  It never replaces reading the table: a different outline only means that the table must be read now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from lvs_agent.model.ipvs import (
    AddressKey,
    Destination,
    DestinationKey,
    ForwardingMethod,
    FwmarkKey,
    Protocol,
    Service,
    ServiceEntry,
    ServiceKey,
    Table,
)

OutlineKey = tuple[Protocol, DestinationKey] | int
"""Protocol with address and port, or a firewall mark: /proc does not show the family of a mark."""


def outline_key(key: ServiceKey) -> OutlineKey:
    """The key that ``key`` has in an outline."""
    match key:
        case AddressKey(protocol, address, port):
            return protocol, DestinationKey(address, port)
        case FwmarkKey(mark):
            return mark


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineDestination:
    """One destination line: forwarding method and weight."""

    key: DestinationKey
    forwarding: ForwardingMethod
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineService:
    """One service line with its destination lines.

    ``persistence`` is the timeout in seconds with the netmask (a prefix length for IPv6), or None.
    ``destinations`` has no order.
    """

    scheduler: str
    one_packet: bool
    persistence: tuple[int, int | IPv4Address] | None
    destinations: frozenset[OutlineDestination]


Outline = Mapping[OutlineKey, tuple[OutlineService, ...]]
"""The services of each key; more than one only where an IPv4 and an IPv6 service share a mark."""


def outline_of(table: Table) -> Outline:
    """The outline that /proc/net/ip_vs would show for ``table``."""
    outline: dict[OutlineKey, tuple[OutlineService, ...]] = {}
    for key, entry in table.entries.items():
        place = outline_key(key)
        outline[place] = (*outline.get(place, ()), _outline_service(entry))
    return outline


def outlines_differ(left: Outline, right: Outline, *, services: Collection[ServiceKey]) -> bool:
    """Whether the two outlines differ in any of ``services``."""
    return any(
        Counter(left.get(place, ())) != Counter(right.get(place, ()))
        for place in {outline_key(key) for key in services}
    )


def _outline_service(entry: ServiceEntry) -> OutlineService:
    service: Service = entry.service
    kept = service.persistence
    return OutlineService(
        scheduler=service.scheduler,
        one_packet=service.one_packet and not _hides_one_packet(service.key),
        persistence=None if kept is None else (kept.timeout_s, kept.netmask),
        destinations=frozenset(map(_outline_destination, entry.destinations.values())),
    )


def _hides_one_packet(key: ServiceKey) -> bool:
    """Whether the outline lacks the one-packet flag: the kernel prints ``ops`` for marks and IPv4, not for IPv6."""
    return isinstance(key, AddressKey) and key.address.version == 6


def _outline_destination(destination: Destination) -> OutlineDestination:
    # The kernel prints a destination of method BYPASS as "Masq".
    bypass = destination.forwarding is ForwardingMethod.BYPASS
    forwarding = ForwardingMethod.MASQUERADE if bypass else destination.forwarding
    return OutlineDestination(key=destination.key, forwarding=forwarding, weight=destination.weight)
