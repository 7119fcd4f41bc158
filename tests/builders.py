"""Builders of the model for tests: keyword-only, with sensible defaults, so a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import Any

from lvs_agent.core.condition import conditions_after
from lvs_agent.core.health import CheckState, Health
from lvs_agent.core.pool import Membership, Placement, Pool
from lvs_agent.core.snapshot import (
    CheckStatus,
    ConfigStatus,
    EngineStatus,
    ReconcileStatus,
    ServerKey,
    ServerStatus,
    Snapshot,
)
from lvs_agent.model.check import CheckId, CheckReport, CheckResult, CheckSpec, Passed, Target
from lvs_agent.model.intent import Initial, Intent, OnDown, RealServer, VirtualService
from lvs_agent.model.ipvs import (
    AddressKey,
    Destination,
    DestinationKey,
    Family,
    ForwardingMethod,
    FwmarkKey,
    Persistence,
    Protocol,
    SchedulerFlag,
    Service,
    ServiceEntry,
    ServiceKey,
    Table,
    Tunnel,
)
from lvs_agent.model.statistics import Counters, DestinationStatistics, Statistics

NOW = 1_700_000_000.0
"""The time of everything here, and where ``ManualClock`` stands at first."""

_ONE_CLIENT = IPv4Address("255.255.255.255")


def service_key(*, protocol: str = "tcp", address: str = "192.0.2.1", port: int = 80) -> AddressKey:
    """The key of an address service."""
    return AddressKey(Protocol(protocol), ip_address(address), port)


def fwmark_key(*, mark: int = 10, family: Family = Family.INET) -> FwmarkKey:
    """The key of a firewall mark service."""
    return FwmarkKey(mark, family)


def destination_key(*, address: str = "10.0.0.1", port: int = 80) -> DestinationKey:
    """The key of a destination."""
    return DestinationKey(ip_address(address), port)


def persistence(
    *, timeout_s: int = 600, netmask: IPv4Address | int = _ONE_CLIENT, engine: str | None = None
) -> Persistence:
    """Persistence of ten minutes for each client."""
    return Persistence(timeout_s=timeout_s, netmask=netmask, engine=engine)


def service(
    *,
    key: ServiceKey | None = None,
    scheduler: str = "wrr",
    scheduler_flags: SchedulerFlag = SchedulerFlag.NONE,
    persistence: Persistence | None = None,
    one_packet: bool = False,
) -> Service:
    """A row for 192.0.2.1:80 over TCP."""
    return Service(
        key=key or service_key(),
        scheduler=scheduler,
        scheduler_flags=scheduler_flags,
        persistence=persistence,
        one_packet=one_packet,
    )


def destination(
    *,
    address: str = "10.0.0.1",
    port: int = 80,
    forwarding: ForwardingMethod = ForwardingMethod.DIRECT,
    weight: int = 1,
    upper_threshold: int = 0,
    lower_threshold: int = 0,
    tunnel: Tunnel | None = None,
) -> Destination:
    """A row for 10.0.0.1:80 with direct routing and weight 1; a tunnelled one gets a plain tunnel."""
    if tunnel is None and forwarding is ForwardingMethod.TUNNEL:
        tunnel = Tunnel()
    return Destination(
        key=destination_key(address=address, port=port),
        forwarding=forwarding,
        weight=weight,
        upper_threshold=upper_threshold,
        lower_threshold=lower_threshold,
        tunnel=tunnel,
    )


def service_entry(*, service: Service, destinations: Iterable[Destination] = ()) -> ServiceEntry:
    """A service with its destinations."""
    return ServiceEntry(service, {row.key: row for row in destinations})


def table(*entries: ServiceEntry) -> Table:
    """A table of ``entries``."""
    return Table({entry.service.key: entry for entry in entries})


def table_of(*services: VirtualService) -> Table:
    """The table while every real server of ``services`` is up."""
    return table(
        *(
            service_entry(service=one.service, destinations=[s.destination for s in one.real_servers])
            for one in services
        )
    )


def statistics(
    *,
    table: Table | None = None,
    services: Mapping[ServiceKey, Counters] | None = None,
    destinations: Mapping[tuple[ServiceKey, DestinationKey], DestinationStatistics] | None = None,
) -> Statistics:
    """A reading of ``table``; what is not given counts nothing."""
    rows = (table or Table()).entries
    nothing = {(key, row): DestinationStatistics() for key, entry in rows.items() for row in entry.destinations}
    return Statistics(
        table=table or Table(),
        services={key: Counters() for key in rows} | dict(services or {}),
        destinations=nothing | dict(destinations or {}),
    )


def check_spec(
    *,
    name: str = "check",
    kind: str = "http",
    address: str = "10.0.0.1",
    port: int | None = 80,
    settings: object = None,
    interval_s: float = 5.0,
    down_interval_s: float | None = None,
    timeout_s: float = 2.0,
    rise: int = 1,
    fall: int = 1,
) -> CheckSpec:
    """A check each five seconds; ``down_interval_s`` is ``interval_s`` where it is not given."""
    return CheckSpec(
        id=CheckId(name),
        kind=kind,
        target=Target(address=ip_address(address), port=port, settings=settings),
        interval_s=interval_s,
        down_interval_s=interval_s if down_interval_s is None else down_interval_s,
        timeout_s=timeout_s,
        rise=rise,
        fall=fall,
    )


def report(
    *,
    check: str = "check",
    result: CheckResult | None = None,
    ended_at: float = NOW,
    duration_s: float = 0.01,
    delay_s: float = 0.0,
) -> CheckReport:
    """A probe that passed in 10 ms."""
    return CheckReport(
        check=CheckId(check), result=result or Passed(), ended_at=ended_at, duration_s=duration_s, delay_s=delay_s
    )


def check_status(*, health: Health = Health.UP, last: CheckReport | None = None, **counted: object) -> CheckStatus:
    """A check that is up; ``counted`` are the other fields of ``CheckStatus``."""
    return CheckStatus(state=CheckState(health), last=last, **counted)  # type: ignore[arg-type]


def real_server(
    *,
    name: str | None = None,
    address: str = "10.0.0.1",
    port: int = 80,
    weight: int = 1,
    forwarding: ForwardingMethod = ForwardingMethod.DIRECT,
    checks: Iterable[str] = ("check",),
    on_down: OnDown = OnDown.REMOVE,
    initial: Initial = Initial.DOWN,
    readd_quiesced: bool = True,
    destination: Destination | None = None,
) -> RealServer:
    """A real server named after its address, with one check."""
    row = destination or _destination(address=address, port=port, weight=weight, forwarding=forwarding)
    return RealServer(
        name=name or str(row.key),
        destination=row,
        checks=tuple(CheckId(check) for check in checks),
        on_down=on_down,
        initial=initial,
        readd_quiesced=readd_quiesced,
    )


_destination = destination


def virtual_service(
    *,
    name: str = "web",
    service: Service | None = None,
    real_servers: Iterable[RealServer] | None = None,
    sorry_server: Destination | None = None,
    quorum: int = 1,
    **more: Any,
) -> VirtualService:
    """A virtual service with one real server and no sorry server; ``more`` are its other fields."""
    return VirtualService(
        name=name,
        service=service or _service(),
        real_servers=(real_server(),) if real_servers is None else tuple(real_servers),
        sorry_server=sorry_server,
        quorum=quorum,
        **more,
    )


_service = service


def intent(*, services: Iterable[VirtualService] = (), checks: Iterable[CheckSpec] | None = None) -> Intent:
    """An intent; where ``checks`` is not given, every check that a server names is an ordinary one."""
    wanted = tuple(services)
    if checks is None:
        names = {check for one in wanted for server in one.real_servers for check in server.checks}
        checks = [check_spec(name=name) for name in sorted(names)]
    return Intent(services=wanted, checks={spec.id: spec for spec in checks})


def pool(*, service: VirtualService, memberships: Mapping[str, Membership] | None = None) -> Pool:
    """The pool in which every real server has the membership given by its name, or is pooled."""
    memberships = memberships or {}
    placements = {
        server.key: _placement(server, memberships.get(server.name, Membership.POOLED))
        for server in service.real_servers
    }
    serving = any(place.destination is not None and place.destination.weight > 0 for place in placements.values())
    return Pool(placements, sorry_active=service.sorry_server is not None and not serving)


def _placement(server: RealServer, membership: Membership) -> Placement:
    match membership:
        case Membership.REMOVED | Membership.WAITING:
            return Placement(membership, None)
        case Membership.QUIESCED:
            row = server.destination
            return Placement(
                membership,
                Destination(key=row.key, forwarding=row.forwarding, weight=0, tunnel=row.tunnel),
            )
        case _:
            return Placement(membership, server.destination)


def config_status(
    *,
    digest: str = "0123456789abcdef",
    common_digest: str = "fedcba9876543210",
    path: str = "/etc/lvs-agent/config.toml",
    loaded_at: float = NOW - 60,
    reconcile_interval_s: float = 10.0,
    last_reload_successful: bool = True,
    reloads: int = 0,
    reload_failures: int = 0,
    problems: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> ConfigStatus:
    """A configuration that was loaded a minute ago."""
    return ConfigStatus(
        digest=digest,
        common_digest=common_digest,
        path=path,
        loaded_at=loaded_at,
        reconcile_interval_s=reconcile_interval_s,
        last_reload_successful=last_reload_successful,
        reloads=reloads,
        reload_failures=reload_failures,
        problems=problems,
        warnings=warnings,
    )


def snapshot(
    *,
    services: Iterable[VirtualService] = (),
    specs: Iterable[CheckSpec] | None = None,
    checks: Mapping[CheckId, CheckStatus] | None = None,
    servers: Mapping[ServerKey, ServerStatus] | None = None,
    reconcile: ReconcileStatus | None = None,
    engine: EngineStatus | None = None,
    config: ConfigStatus | None = None,
    writes: bool = True,
    taken_at: float = NOW,
    started_at: float = NOW - 60,
    log_messages: Mapping[str, int] | None = None,
    monitor_lines_dropped: int = 0,
) -> Snapshot:
    """An agent at work for a minute: every real server up since then, every check passed, the table in sync.

    ``specs`` are the checks of the intent; what ``checks`` and ``servers`` name replaces the defaults.  Conditions that
    ``reconcile`` does not have follow from the rest.
    """
    wanted = intent(services=services, checks=specs)
    reconcile = reconcile or _settled(wanted, at=taken_at)
    passed = {check: check_status(last=report(check=check)) for check in wanted.checks}
    up = {
        (one.service.key, server.key): ServerStatus(Health.UP, started_at)
        for one in wanted.services
        for server in one.real_servers
    }
    return Snapshot(
        taken_at=taken_at,
        started_at=started_at,
        writes=writes,
        intent=wanted,
        config=config or config_status(),
        checks=passed | dict(checks or {}),
        servers=up | dict(servers or {}),
        reconcile=reconcile if reconcile.conditions else with_conditions(reconcile, wanted, up | dict(servers or {})),
        engine=engine or EngineStatus(),
        log_messages=log_messages or {},
        monitor_lines_dropped=monitor_lines_dropped,
    )


def with_conditions(
    status: ReconcileStatus, wanted: Intent, servers: Mapping[ServerKey, ServerStatus]
) -> ReconcileStatus:
    """``status`` with the conditions that a round finds where the real servers are like this."""
    maintained = {
        (service, server)
        for service, decided in status.pools.items()
        for server, place in decided.placements.items()
        if place.membership is Membership.MAINTENANCE
    }
    conditions = conditions_after(
        {},
        wanted,
        scope=None,
        healths={key: server.health for key, server in servers.items()},
        maintained=maintained,
        pools=status.pools,
        table=status.last_table,
    )
    return replace(status, conditions=conditions)


def _settled(wanted: Intent, *, at: float) -> ReconcileStatus:
    return ReconcileStatus(
        rounds=1,
        last_success_at=at,
        last_table=table_of(*wanted.services),
        pools={one.service.key: pool(service=one) for one in wanted.services},
        converged_once=True,
    )
