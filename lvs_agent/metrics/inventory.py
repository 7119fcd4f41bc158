"""What the operator wants, what the agent knows and what the kernel has, joined: one entry a service and a server.

Readers (metrics, API, status page) work on this instead of each joining the parts in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lvs_agent.core.pool import Membership, Placement, Pool
from lvs_agent.core.snapshot import CheckStatus, ServerStatus, Snapshot
from lvs_agent.model.check import CheckSpec
from lvs_agent.model.intent import RealServer, VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey, Service, ServiceEntry, ServiceKey, Table
from lvs_agent.model.statistics import Counters, DestinationStatistics, Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownServer:
    """One real server or sorry server of a service, or a destination that nobody configured.

    ``configured`` is set for real servers, ``sorry`` for the sorry server, which may be a real server as well.
    ``present`` is the kernel's row, ``wanted`` the one that it should have.
    """

    name: str
    key: DestinationKey
    labels: tuple[str, str]
    configured: RealServer | None
    sorry: Destination | None
    present: Destination | None
    counted: DestinationStatistics | None
    placement: Placement | None
    wanted: Destination | None
    status: ServerStatus
    checks: tuple[tuple[CheckSpec, CheckStatus], ...]

    @property
    def forwarding(self) -> str:
        """The forwarding method that the kernel has, else the one that the row will have."""
        row = self.present or self.wanted or (self.configured.destination if self.configured else self.sorry)
        return "" if row is None else row.forwarding.value

    @property
    def maintained(self) -> bool:
        """The operator has taken it out of service, as decided last."""
        return self.placement is not None and self.placement.membership is Membership.MAINTENANCE

    @property
    def state(self) -> str:
        """``"maintenance"``, else what is known of its health."""
        return Membership.MAINTENANCE.value if self.maintained else self.status.health.value

    @property
    def fallback(self) -> bool:
        """It is the service's sorry server, whether or not it is a real server as well."""
        return self.sorry is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownService:
    """One virtual service: configured, in the kernel's table, or both.

    ``row`` is the kernel's row where it has one, else the configured one.
    """

    name: str
    key: ServiceKey
    row: Service
    configured: VirtualService | None
    present: ServiceEntry | None
    counters: Counters | None
    pool: Pool | None
    servers: tuple[KnownServer, ...]

    @property
    def real_servers(self) -> tuple[KnownServer, ...]:
        """The configured ones, in the order of the configuration."""
        return tuple(server for server in self.servers if server.configured is not None)

    @property
    def sorry_active(self) -> bool:
        """The sorry server serves, as decided last."""
        return self.pool is not None and self.pool.sorry_active


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Every service, configured ones first, each name once.

    ``table_known`` False: the kernel could not be asked, so that an absent row means nothing.  ``hidden`` counts the
    entries that are missing here because a later one has the same name.
    """

    services: tuple[KnownService, ...]
    table_known: bool
    hidden: int


def take_inventory(snapshot: Snapshot, *, table: Table | None, statistics: Statistics | None) -> Inventory:
    """Everything about every service.  ``table`` None: it could not be read."""
    found = [
        _service(row, configured, snapshot=snapshot, table=table or Table(), statistics=statistics)
        for row, configured in _service_rows(snapshot, table or Table())
    ]
    hidden = sum(doubles for _, doubles in found)
    named = {service.name: service for service, _ in found}
    return Inventory(
        services=tuple(named.values()), table_known=table is not None, hidden=hidden + len(found) - len(named)
    )


def _service_rows(snapshot: Snapshot, table: Table) -> Iterator[tuple[Service, VirtualService | None]]:
    """The kernel's row of each service where it has one, else the configured row."""
    configured = {service.service.key: service for service in snapshot.intent.services}
    for key, service in configured.items():
        yield table.entries[key].service if key in table.entries else service.service, service
    for key, entry in table.entries.items():
        if key not in configured:
            yield entry.service, None


def _service(
    row: Service,
    configured: VirtualService | None,
    *,
    snapshot: Snapshot,
    table: Table,
    statistics: Statistics | None,
) -> tuple[KnownService, int]:
    """One service, and how many of its servers are hidden by others of their name."""
    key = row.key
    present = table.entries.get(key)
    name = configured.name if configured else str(key)
    pool = snapshot.reconcile.pools.get(key) if configured else None
    servers = [
        _server(
            server_key,
            server,
            service=key,
            service_name=name,
            sorry=configured.sorry_server if configured else None,
            present=present,
            pool=pool,
            snapshot=snapshot,
            statistics=statistics,
        )
        for server_key, server in _server_keys(configured, present)
    ]
    named = {server.name: server for server in servers}
    known = KnownService(
        name=name,
        key=key,
        row=row,
        configured=configured,
        present=present,
        counters=statistics.services.get(key) if statistics else None,
        pool=pool,
        servers=tuple(named.values()),
    )
    return known, len(servers) - len(named)


def _server_keys(
    configured: VirtualService | None, present: ServiceEntry | None
) -> Iterator[tuple[DestinationKey, RealServer | None]]:
    wanted: dict[DestinationKey, RealServer | None] = {}
    if configured:
        wanted = {server.key: server for server in configured.real_servers}
        if configured.sorry_server:
            wanted.setdefault(configured.sorry_server.key, None)
    yield from wanted.items()
    if present:
        yield from ((key, None) for key in present.destinations if key not in wanted)


def _server(
    key: DestinationKey,
    configured: RealServer | None,
    *,
    service: ServiceKey,
    service_name: str,
    sorry: Destination | None,
    present: ServiceEntry | None,
    pool: Pool | None,
    snapshot: Snapshot,
    statistics: Statistics | None,
) -> KnownServer:
    name = configured.name if configured else str(key)
    placement = pool.placements.get(key) if pool else None
    own_sorry = sorry if sorry and sorry.key == key else None
    wanted = own_sorry if own_sorry and pool and pool.sorry_active else placement.destination if placement else None
    return KnownServer(
        name=name,
        key=key,
        labels=(service_name, name),
        configured=configured,
        sorry=own_sorry,
        present=present.destinations.get(key) if present else None,
        counted=statistics.destinations.get((service, key)) if statistics else None,
        placement=placement,
        wanted=wanted,
        status=snapshot.servers.get((service, key), _NEVER_SEEN),
        checks=_checks(configured, snapshot) if configured else (),
    )


_NEVER_SEEN = ServerStatus()
_NEVER_RUN = CheckStatus()


def _checks(server: RealServer, snapshot: Snapshot) -> tuple[tuple[CheckSpec, CheckStatus], ...]:
    return tuple((snapshot.intent.checks[check], snapshot.checks.get(check, _NEVER_RUN)) for check in server.all_checks)
