"""The rules of one destination, real server or sorry server: address, port, forwarding, tunnel, thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from lvs_agent.config.findings import Location, Report
from lvs_agent.config.schema.keys import inherit
from lvs_agent.config.schema.tables import (
    EndpointKeys,
    ForwardingKeys,
    RealServerTable,
    SorryServerTable,
    VirtualServiceTable,
)
from lvs_agent.config.schema.values import Forwarding
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """The service that a destination belongs to: what holds for it, and the row that the kernel shall have."""

    at: Location
    table: VirtualServiceTable
    service: Service


def resolve_real_server(
    server: RealServerTable, *, written: RealServerTable, within: ServiceContext, at: Location, report: Report
) -> Destination:
    """The row that the kernel shall have while ``server`` is up, which is ``written`` with what it inherits."""
    _threshold_rules(server, written=written, within=within, at=at, report=report)
    _tunnel_needs_forwarding(server, written=written, at=at, report=report)
    return Destination(
        key=_key(server, method=_method(server), key=within.service.key, at=at, report=report),
        forwarding=_method(server),
        weight=server.weight,
        upper_threshold=server.upper_threshold,
        lower_threshold=server.lower_threshold,
        tunnel=_tunnel(server),
    )


def resolve_sorry_server(
    written: SorryServerTable, *, within: ServiceContext, at: Location, report: Report
) -> Destination:
    """The row that the kernel shall have while no real server is up."""
    server = inherit(written, within.table)
    _tunnel_needs_forwarding(server, written=written, at=at, report=report)
    return Destination(
        key=_key(server, method=_method(server), key=within.service.key, at=at, report=report),
        forwarding=_method(server),
        weight=server.weight,
        tunnel=_tunnel(server),
    )


def tunnel_rules(written: ForwardingKeys, *, at: Location, report: Report) -> None:
    """What ipvsadm and the kernel ask of a tunnel, wherever it is written (``at`` is the table around it)."""
    tunnel = written.tunnel
    if tunnel.type is TunnelType.GUE and tunnel.port is None:
        report.error((*at, "tunnel", "port"), "is required for a gue tunnel")
    if tunnel.type is not TunnelType.GUE and tunnel.port is not None:
        report.error((*at, "tunnel", "port"), f"is for gue tunnels only; {tunnel.type.value} has no ports")
    if tunnel.type is TunnelType.IPIP and tunnel.checksum is not TunnelChecksum.NONE:
        report.error((*at, "tunnel", "checksum"), 'must be "none" for an ipip tunnel: it has no header of its own')
    if tunnel.type is TunnelType.GRE and tunnel.checksum is TunnelChecksum.REMCSUM:
        report.error((*at, "tunnel", "checksum"), '\'remcsum\' is for gue tunnels only; use "csum" or "none"')


def _key(
    server: EndpointKeys, *, method: ForwardingMethod, key: ServiceKey, at: Location, report: Report
) -> DestinationKey:
    _family_rule(server.address, forwarding=method, key=key, at=at, report=report)
    service_port = key.port if isinstance(key, AddressKey) else 0
    if server.port is None or server.port == service_port:
        return DestinationKey(server.address, service_port)
    problem = _port_problem(server.port, forwarding=method, key=key)
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
            f'must not be set: with forwarding "{forwarding.value}" packets reach the real server on the service\'s'
            f' port {key.port}; to check another port set check.port, to map ports use forwarding "masquerade"'
        )
    if isinstance(key, AddressKey) and key.port == 0:
        return "must not be set: a service with port 0 keeps the port that the client used"
    return "must be 1 to 65535" if port == 0 else None


def _threshold_rules(
    server: RealServerTable, *, written: RealServerTable, within: ServiceContext, at: Location, report: Report
) -> None:
    """The kernel refuses a lower threshold above the upper one, and so one without it."""
    upper, lower = server.upper_threshold, server.lower_threshold
    if lower > upper:
        own = written.model_fields_set & {"upper_threshold", "lower_threshold"}
        wrong = (
            "must not be set without an upper_threshold"
            if upper == 0
            else f"must be at most the upper_threshold ({upper})"
        )
        report.error((*(at if own else within.at), "lower_threshold"), wrong)


def _tunnel_needs_forwarding(server: ForwardingKeys, *, written: ForwardingKeys, at: Location, report: Report) -> None:
    if "tunnel" in written.model_fields_set and server.forwarding is not Forwarding.TUNNEL:
        report.error(
            (*at, "tunnel"), f'must not be set without forwarding "tunnel"; here it is "{server.forwarding.value}"'
        )


def _method(server: ForwardingKeys) -> ForwardingMethod:
    return ForwardingMethod(server.forwarding.value)


def _tunnel(server: ForwardingKeys) -> Tunnel | None:
    if server.forwarding is not Forwarding.TUNNEL:
        return None
    return Tunnel(type=server.tunnel.type, port=server.tunnel.port or 0, checksum=server.tunnel.checksum)
