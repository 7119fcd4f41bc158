"""The rules of one destination, real server or sorry server: address, port, forwarding, tunnel, thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from lvs_agent.config.findings import Location, Report
from lvs_agent.config.schema import (
    DefaultsTable,
    RealServerTable,
    SorryServerTable,
    TunnelTable,
    VirtualServiceTable,
)
from lvs_agent.config.values import Forwarding
from lvs_agent.model.ipvs import (
    AddressKey,
    Destination,
    DestinationKey,
    ForwardingMethod,
    IPAddress,
    Service,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    family_of,
)

DEFAULT_WEIGHT = 1

Value = TypeVar("Value")


def first_written(values: Iterable[Value | None], default: Value) -> Value:
    """The first of ``values``, from the inside out, that is there at all; ``default`` where nobody wrote any."""
    return next((value for value in values if value is not None), default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a real server inherits from: its service, as written and as the kernel shall have it, and [defaults]."""

    at: Location
    table: VirtualServiceTable
    defaults: DefaultsTable
    service: Service

    def forwarding(self, own: Forwarding | None) -> ForwardingMethod:
        """The forwarding method of a destination that itself says ``own``."""
        word = own or self.table.forwarding or self.defaults.forwarding or Forwarding.DIRECT
        return ForwardingMethod(word.value)

    def weight(self, own: int | None) -> int:
        """The weight of a real server that itself says ``own``."""
        return first_written((own, self.table.weight, self.defaults.weight), DEFAULT_WEIGHT)

    def tunnel(self, own: TunnelTable | None, *, forwarding: ForwardingMethod) -> Tunnel | None:
        """The encapsulation of a destination that itself says ``own``."""
        if forwarding is not ForwardingMethod.TUNNEL:
            return None
        written = own or self.table.tunnel or self.defaults.tunnel or TunnelTable()
        return Tunnel(type=written.type, port=written.port or 0, checksum=written.checksum)


def resolve_real_server(server: RealServerTable, *, within: Surroundings, at: Location, report: Report) -> Destination:
    """The row that the kernel shall have while ``server`` is up."""
    upper, lower = _thresholds(server, within=within, at=at, report=report)
    forwarding = within.forwarding(server.forwarding)
    return Destination(
        key=_key(server, forwarding=forwarding, key=within.service.key, at=at, report=report),
        forwarding=forwarding,
        weight=within.weight(server.weight),
        upper_threshold=upper,
        lower_threshold=lower,
        tunnel=_tunnel(server, forwarding=forwarding, within=within, at=at, report=report),
    )


def resolve_sorry_server(
    server: SorryServerTable, *, within: Surroundings, at: Location, report: Report
) -> Destination:
    """The row that the kernel shall have while no real server is up."""
    forwarding = within.forwarding(server.forwarding)
    return Destination(
        key=_key(server, forwarding=forwarding, key=within.service.key, at=at, report=report),
        forwarding=forwarding,
        weight=server.weight,
        tunnel=_tunnel(server, forwarding=forwarding, within=within, at=at, report=report),
    )


def tunnel_rules(tunnel: TunnelTable | None, *, at: Location, report: Report) -> None:
    """What ipvsadm and the kernel ask of a tunnel, wherever it is written (``at`` is the table around it)."""
    if tunnel is None:
        return
    if tunnel.type is TunnelType.GUE and tunnel.port is None:
        report.error((*at, "tunnel", "port"), "is required for a gue tunnel")
    if tunnel.type is not TunnelType.GUE and tunnel.port is not None:
        report.error((*at, "tunnel", "port"), f"is for gue tunnels only; {tunnel.type.value} has no ports")
    if tunnel.type is TunnelType.IPIP and tunnel.checksum is not TunnelChecksum.NONE:
        report.error((*at, "tunnel", "checksum"), 'must be "none" for an ipip tunnel: it has no header to protect')
    if tunnel.type is TunnelType.GRE and tunnel.checksum is TunnelChecksum.REMCSUM:
        report.error((*at, "tunnel", "checksum"), '\'remcsum\' is for gue tunnels only; use "csum" or "none"')


def _key(
    server: RealServerTable | SorryServerTable,
    *,
    forwarding: ForwardingMethod,
    key: ServiceKey,
    at: Location,
    report: Report,
) -> DestinationKey:
    _family_rule(server.address, forwarding=forwarding, key=key, at=at, report=report)
    service_port = key.port if isinstance(key, AddressKey) else 0
    if server.port is None or server.port == service_port:
        return DestinationKey(server.address, service_port)
    problem = _port_problem(server.port, forwarding=forwarding, key=key)
    if problem is not None:
        report.error((*at, "port"), problem)
    return DestinationKey(server.address, server.port)


def _family_rule(
    address: IPAddress, *, forwarding: ForwardingMethod, key: ServiceKey, at: Location, report: Report
) -> None:
    if family_of(address) is not key.family and forwarding is not ForwardingMethod.TUNNEL:
        text = f'is IPv{address.version}, but the service is not; only forwarding "tunnel" can change the family'
        report.error((*at, "address"), text)


def _port_problem(port: int, *, forwarding: ForwardingMethod, key: ServiceKey) -> str | None:
    """Why a port that differs from the service's is wrong, or None where it is not.

    A firewall mark has no port of its own, so the row of a server bears whatever port is written; only masquerading
    heeds it.
    """
    if isinstance(key, AddressKey) and forwarding is not ForwardingMethod.MASQUERADE:
        return (
            f'must be left out: with forwarding "{forwarding.value}" packets reach the real server on the service\'s'
            f' port {key.port}; to check another port set check.port, to map ports use forwarding "masquerade"'
        )
    if isinstance(key, AddressKey) and key.port == 0:
        return "must be left out: a service with port 0 keeps the port that the client asked for"
    return "must be 1 to 65535" if port == 0 else None


def _thresholds(server: RealServerTable, *, within: Surroundings, at: Location, report: Report) -> tuple[int, int]:
    """Upper and lower threshold.  The kernel refuses a lower one above the upper one, and so one without it."""
    own = server.upper_threshold is not None or server.lower_threshold is not None
    upper = first_written((server.upper_threshold, within.table.upper_threshold), 0)
    lower = first_written((server.lower_threshold, within.table.lower_threshold), 0)
    if lower > upper:
        wrong = "needs an upper_threshold" if upper == 0 else f"must be at most the upper_threshold ({upper})"
        report.error((*(at if own else within.at), "lower_threshold"), wrong)
    return upper, lower


def _tunnel(
    server: RealServerTable | SorryServerTable,
    *,
    forwarding: ForwardingMethod,
    within: Surroundings,
    at: Location,
    report: Report,
) -> Tunnel | None:
    if server.tunnel is not None and forwarding is not ForwardingMethod.TUNNEL:
        report.error((*at, "tunnel"), f'needs forwarding "tunnel"; it is "{forwarding.value}" here')
    return within.tunnel(server.tunnel, forwarding=forwarding)
