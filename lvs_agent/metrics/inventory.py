"""What the operator wants, what the agent knows and what the kernel has, joined: one object a service and a server.

Readers that want to speak of one thing after another (API, status page) work on this.  The metrics take the same from
``columns``, where it is joined.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvs_agent.core.pool import Placement, Pool
from lvs_agent.core.snapshot import CheckStatus, ServerStatus, Snapshot
from lvs_agent.metrics.columns import Columns, is_maintained, state_of
from lvs_agent.metrics.roster import Rosters
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
        return is_maintained(self.placement)

    @property
    def state(self) -> str:
        """``"maintenance"``, else what is known of its health."""
        return state_of(self.placement, self.status)

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
    entries that are missing here because one before them has the same name.
    """

    services: tuple[KnownService, ...]
    table_known: bool
    hidden: int


def take_inventory(snapshot: Snapshot, *, table: Table | None, statistics: Statistics | None) -> Inventory:
    """Everything about every service.  ``table`` None: it could not be read."""
    columns = Columns(snapshot, table=table, statistics=statistics, rosters=Rosters())
    return Inventory(
        services=tuple(_service(columns, place) for place in range(len(columns.roster.rolls))),
        table_known=columns.table_known,
        hidden=columns.roster.hidden,
    )


def _service(columns: Columns, place: int) -> KnownService:
    roll, span = columns.roster.rolls[place], columns.roster.spans[place]
    return KnownService(
        name=roll.name,
        key=roll.key,
        row=columns.row(place),
        configured=roll.configured,
        present=columns.entries[place],
        counters=columns.counters[place],
        pool=columns.pools[place],
        servers=tuple(_server(columns, number) for number in range(span.start, span.stop)),
    )


def _server(columns: Columns, place: int) -> KnownServer:
    roster = columns.roster
    labels = roster.server_labels[place]
    return KnownServer(
        name=labels[1],
        key=roster.server_keys[place],
        labels=labels,
        configured=roster.real_servers[place],
        sorry=roster.sorry_servers[place],
        present=columns.rows[place],
        counted=columns.counted[place],
        placement=columns.placements[place],
        wanted=columns.wanted[place],
        status=columns.statuses[place],
        checks=tuple(zip(roster.specs(place), columns.checks[place], strict=True)),
    )
