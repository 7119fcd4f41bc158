"""A director on a bad night: a service without servers, one below its quorum, and others that are healthy.

The pictures of the documentation are of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from lvs_agent.core.health import CheckState, Health
from lvs_agent.core.pool import Membership
from lvs_agent.core.snapshot import CHECK_BOUNDS, CheckStatus, Histogram, ReconcileStatus, ServerStatus, Snapshot
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.check import CheckId, CheckResult, CheckSpec, Errored, Failed, FailureReason, Passed
from lvs_agent.model.event import Event, EventKind
from lvs_agent.model.intent import OnDown, RealServer, VirtualService
from lvs_agent.model.ipvs import (
    AddDestination,
    AddressKey,
    AddService,
    Destination,
    ForwardingMethod,
    Protocol,
    Service,
)
from lvs_agent.model.statistics import Counters, DestinationStatistics, Rates
from tests.builders import (
    NOW,
    check_spec,
    config_status,
    destination,
    fwmark_key,
    persistence,
    pool,
    report,
    service,
    service_entry,
    snapshot,
    table,
)

_WELL = Passed()
_BROKEN = Failed(FailureReason.STATUS, "status 503, wanted 200-299")
_SILENT = Failed(FailureReason.CONNECT_TIMEOUT, "no answer to the connection within 2 s")
_REFUSED = Failed(FailureReason.REFUSED, "connection refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One real server: how its check went, what follows, and its part of the traffic."""

    name: str
    address: str
    result: CheckResult = _WELL
    membership: Membership = Membership.POOLED
    since_s: float = 1_036_800.0
    weight: int = 10
    against: int = 0
    share: float = 1.0

    @property
    def health(self) -> Health:
        """What its check says."""
        match self.result:
            case Passed():
                return Health.DOWN if self.against else Health.UP
            case Failed():
                return Health.UP if self.against else Health.DOWN
            case Errored():
                return Health.UNKNOWN


def _key(address: str, port: int, protocol: str = "tcp") -> AddressKey:
    return AddressKey(Protocol(protocol), ip_address(address), port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One virtual service with its servers; ``rate``: new connections each second of a server."""

    name: str
    row: Service
    kind: str
    port: int
    servers: tuple[Server, ...]
    rate: int
    quorum: int = 1
    sorry: str | None = None
    comment: str = ""
    forwarding: ForwardingMethod = ForwardingMethod.DIRECT


SITES = (
    Site(
        name="shop",
        row=service(key=_key("203.0.113.10", 443), scheduler="wlc", persistence=persistence(timeout_s=300)),
        kind="https",
        port=443,
        rate=212,
        quorum=2,
        comment="Front of the shop; on call: web team",
        servers=(
            Server(name="web1", address="10.0.10.11"),
            Server(name="web2", address="10.0.10.12", share=0.96),
            Server(
                name="web3",
                address="10.0.10.13",
                result=_BROKEN,
                membership=Membership.QUIESCED,
                since_s=754,
                share=0.03,
            ),
            Server(name="web4", address="10.0.10.14", weight=20, share=1.9),
            Server(name="web5", address="10.0.10.15", membership=Membership.MAINTENANCE, since_s=90_000, share=0),
        ),
    ),
    Site(
        name="api",
        row=service(key=_key("203.0.113.11", 443), scheduler="wrr"),
        kind="http2",
        port=8443,
        rate=840,
        quorum=2,
        forwarding=ForwardingMethod.MASQUERADE,
        servers=(
            Server(name="api1", address="10.0.11.21", result=_SILENT, against=2, since_s=260_000),
            Server(
                name="api2", address="10.0.11.22", result=_SILENT, membership=Membership.REMOVED, since_s=96, share=0
            ),
            Server(
                name="api3", address="10.0.11.23", result=_REFUSED, membership=Membership.REMOVED, since_s=91, share=0
            ),
        ),
    ),
    Site(
        name="intranet",
        row=service(key=_key("203.0.113.12", 80), scheduler="wlc"),
        kind="http",
        port=80,
        rate=9,
        sorry="10.0.12.99",
        servers=(
            Server(name="wiki1", address="10.0.12.31", result=_REFUSED, membership=Membership.REMOVED, since_s=5_220),
            Server(name="wiki2", address="10.0.12.32", against=1, membership=Membership.REMOVED, since_s=5_218),
        ),
    ),
    Site(
        name="dns",
        row=service(key=_key("203.0.113.53", 53, "udp"), scheduler="sed", one_packet=True),
        kind="dns",
        port=53,
        rate=3_400,
        servers=tuple(Server(name=f"ns{n}", address=f"10.0.53.{n}", share=0.9 + n / 20) for n in (1, 2, 3)),
    ),
    Site(
        name="mail",
        row=service(key=_key("2001:db8:10::25", 25), scheduler="wlc"),
        kind="smtp",
        port=25,
        rate=14,
        servers=tuple(Server(name=f"mx{n}", address=f"2001:db8:25::{n}", share=0.8 + n / 10) for n in (1, 2)),
    ),
    Site(
        name="reports",
        row=service(key=_key("203.0.113.30", 5432), scheduler="lc"),
        kind="pgsql",
        port=5432,
        rate=31,
        forwarding=ForwardingMethod.TUNNEL,
        servers=(
            Server(name="replica1", address="10.0.30.1"),
            Server(
                name="replica2",
                address="10.0.30.2",
                result=Passed(weight_percent=0),
                membership=Membership.DRAINED,
                share=0,
            ),
            Server(name="replica3", address="10.0.30.3", share=1.1),
        ),
    ),
    *(
        Site(
            name=f"tenant-{n:02}",
            row=service(key=_key(f"203.0.113.{100 + n}", 443), scheduler="wlc"),
            kind="https",
            port=443,
            rate=20 + 7 * n,
            servers=tuple(Server(name=f"t{n:02}-{m}", address=f"10.1.{n}.{m}", share=0.9 + m / 20) for m in (1, 2, 3)),
        )
        for n in range(1, 9)
    ),
)
FOREIGN = service_entry(
    service=service(key=fwmark_key(mark=7), scheduler="mh"),
    destinations=[destination(address=f"172.16.0.{n}", port=0, weight=1) for n in (1, 2)],
)


def _destination(site: Site, server: Server) -> Destination:
    port = site.port if site.forwarding is ForwardingMethod.MASQUERADE else _port(site)
    return destination(address=server.address, port=port, forwarding=site.forwarding, weight=server.weight)


def _port(site: Site) -> int:
    key = site.row.key
    return key.port if isinstance(key, AddressKey) else 0


def _real_server(site: Site, server: Server) -> RealServer:
    quiesces = server.membership in {Membership.QUIESCED, Membership.MAINTENANCE}
    return RealServer(
        name=server.name,
        destination=_destination(site, server),
        checks=(_check(server),),
        on_down=OnDown.QUIESCE if quiesces else OnDown.REMOVE,
    )


def _check(server: Server) -> CheckId:
    return CheckId(f"of {server.name}")


def _virtual_service(site: Site) -> VirtualService:
    sorry = destination(address=site.sorry, port=_port(site)) if site.sorry else None
    return VirtualService(
        name=site.name,
        service=site.row,
        real_servers=tuple(_real_server(site, server) for server in site.servers),
        sorry_server=sorry,
        quorum=site.quorum,
        comment=site.comment,
    )


def _spec(site: Site, server: Server) -> CheckSpec:
    name = _check(server)
    return check_spec(name=name, kind=site.kind, address=server.address, port=site.port, rise=3, fall=3)


def _status(number: int, server: Server) -> CheckStatus:
    last = report(
        check=_check(server),
        result=server.result,
        ended_at=NOW - 0.4 - number * 0.37 % 4,
        duration_s=2.0 if server.result is _SILENT else 0.002 + number * 0.0013 % 0.04,
    )
    durations = Histogram.empty(CHECK_BOUNDS).with_values([last.duration_s] * 3)
    return CheckStatus(state=CheckState(server.health, server.against), last=last, durations=durations)


def _kernel_row(site: Site, server: Server) -> Destination | None:
    row = _destination(site, server)
    match server.membership:
        case Membership.REMOVED | Membership.WAITING | Membership.WITHDRAWN:
            return None
        case Membership.QUIESCED | Membership.MAINTENANCE | Membership.DRAINED:
            return replace(row, weight=0)
        case _:
            return row


def _rows(site: Site) -> list[Destination]:
    rows = [row for server in site.servers if (row := _kernel_row(site, server)) is not None]
    return rows + ([destination(address=site.sorry, port=_port(site))] if site.sorry else [])


def showcase_snapshot(sites: Iterable[Site] = SITES, *, writes: bool = True, at: float = NOW) -> Snapshot:
    """What the agent of that director knows."""
    wanted = tuple(sites)
    services = [_virtual_service(site) for site in wanted]
    servers = [(site, server) for site in wanted for server in site.servers]
    pools = {}
    for site, one in zip(wanted, services, strict=True):
        placed = pool(service=one, memberships={server.name: server.membership for server in site.servers})
        places = {
            key: replace(place, destination=_kernel_row(site, server))
            for (key, place), server in zip(placed.placements.items(), site.servers, strict=True)
        }
        pools[one.service.key] = replace(placed, placements=places, sorry_active=site.sorry is not None)
    return snapshot(
        services=services,
        specs=[_spec(site, server) for site, server in servers],
        checks={_check(server): _status(number, server) for number, (_, server) in enumerate(servers)},
        servers={
            (site.row.key, _destination(site, server).key): ServerStatus(server.health, at - server.since_s, 1, 1)
            for site, server in servers
        },
        reconcile=ReconcileStatus(
            rounds=104_102,
            last_success_at=at - 2,
            last_table=table(*(service_entry(service=site.row, destinations=_rows(site)) for site in wanted)),
            pools=pools,
            drift_repairs=1,
            converged_once=True,
        ),
        config=config_status(digest="9f2c41d07be3a856", loaded_at=at - 93_000),
        started_at=at - 1_036_900,
        taken_at=at,
        writes=writes,
    )


def showcase_backend(sites: Iterable[Site] = SITES) -> MemoryIpvs:
    """The table of that director, with its traffic."""
    backend = MemoryIpvs()
    wanted = tuple(sites)
    for entry in (*(service_entry(service=site.row, destinations=_rows(site)) for site in wanted), FOREIGN):
        backend.apply(AddService(entry.service))
        for row in entry.destinations.values():
            backend.apply(AddDestination(entry.service.key, row))
    for site in wanted:
        shares = {_destination(site, server).key: server.share for server in site.servers}
        for row in _rows(site):
            share = shares.get(row.key, 1.0)
            counted = _traffic(site, share)
            backend.record(service=site.row.key, destination=row.key, statistics=counted)
    return backend


def _traffic(site: Site, share: float) -> DestinationStatistics:
    rate = round(site.rate * share)
    answers = site.forwarding is ForwardingMethod.MASQUERADE
    return DestinationStatistics(
        counters=Counters(connections=rate * 1_036_000, incoming_packets=rate * 9_300_000),
        rates=Rates(
            connections=rate,
            incoming_packets=rate * 9,
            outgoing_packets=rate * 11 * answers,
            incoming_bytes=rate * 4_870,
            outgoing_bytes=rate * 18_400 * answers,
        ),
        active_connections=round(rate * 3.4) or round(40 * share),
        inactive_connections=round(rate * 1.7),
    )


def showcase_events(at: float = NOW) -> tuple[Event, ...]:
    """What happened there of late."""
    failed = {"check": "http2", "reason": "connect_timeout", "detail": _SILENT.detail}
    refused = {"check": "http2", "reason": "refused", "detail": _REFUSED.detail}
    broken = {"check": "https", "reason": "status", "detail": _BROKEN.detail}
    told: tuple[tuple[float, EventKind, str, str, Mapping[str, str]], ...] = (
        (90_000, EventKind.MAINTENANCE_STARTED, "shop", "web5", {}),
        (7_300, EventKind.SERVER_DOWN, "mail", "mx2", {"check": "smtp", "reason": "read_timeout"}),
        (7_240, EventKind.SERVER_UP, "mail", "mx2", {"check": "smtp"}),
        (5_220, EventKind.SERVER_DOWN, "intranet", "wiki1", {**refused, "check": "http"}),
        (5_218, EventKind.SERVER_DOWN, "intranet", "wiki2", {**refused, "check": "http"}),
        (5_218, EventKind.SORRY_SERVER_ACTIVATED, "intranet", "", {}),
        (754, EventKind.SERVER_DOWN, "shop", "web3", broken),
        (96, EventKind.SERVER_DOWN, "api", "api2", failed),
        (91, EventKind.SERVER_DOWN, "api", "api3", refused),
    )
    return tuple(
        Event(number=number, at=at - age, kind=kind, virtual_service=service, real_server=server, facts=facts)
        for number, (age, kind, service, server, facts) in enumerate(told, start=1)
    )
