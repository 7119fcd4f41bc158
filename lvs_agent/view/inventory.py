"""The inventory: intent, snapshot and kernel joined, as one object for each service and each server.

It is there for readers that show one service or server after another: API, status page, ``why``.  /metrics takes the
same facts from ``columns``, where they are joined.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvs_agent.core.condition import ServiceCondition
from lvs_agent.core.pool import Placement, Pool
from lvs_agent.core.snapshot import CheckStatus, ServerStatus, Snapshot
from lvs_agent.model.check import CheckSpec
from lvs_agent.model.intent import RealServer, VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey, Service, ServiceEntry, ServiceKey, Table
from lvs_agent.model.statistics import Counters, DestinationStatistics, Statistics
from lvs_agent.view.columns import ColumnStore, is_maintained, state_of
from lvs_agent.view.series_index import IndexCache


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownServer:
    """One real server or sorry server of a service, or a destination that nobody configured.

    ``configured`` is set for real servers, ``sorry`` for the sorry server, which may be a real server as well.
    ``present`` is the kernel's row, ``wanted`` the desired one.
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
    def is_sorry_server(self) -> bool:
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
    condition: ServiceCondition
    servers: tuple[KnownServer, ...]

    @property
    def real_servers(self) -> tuple[KnownServer, ...]:
        """The configured ones, in the order of the configuration."""
        return tuple(server for server in self.servers if server.configured is not None)

    @property
    def quorum_reached(self) -> bool:
        """Its quorum is known to be reached."""
        return self.condition.quorum_reached is True

    @property
    def sorry_active(self) -> bool:
        """The service has failed over to its sorry server."""
        return self.condition.sorry_active is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Every service, configured ones first, each name once.

    ``table_known`` False: the kernel could not be asked, so that an absent row means nothing.  ``hidden`` counts the
    entries that are missing here because one before them has the same name.
    """

    services: tuple[KnownService, ...]
    table_known: bool
    hidden: int


def inventory_of(snapshot: Snapshot, statistics: Statistics | None) -> Inventory:
    """Every service and server; without ``statistics`` with the rows that the last round left."""
    table = statistics.table if statistics else snapshot.reconcile.last_table
    return take_inventory(snapshot, table=table, statistics=statistics)


def take_inventory(snapshot: Snapshot, *, table: Table | None, statistics: Statistics | None) -> Inventory:
    """Everything about every service.  ``table`` None: it could not be read."""
    columns = ColumnStore(snapshot, table=table, statistics=statistics, indexes=IndexCache())
    return Inventory(
        services=tuple(_service(columns, place) for place in range(len(columns.index.services))),
        table_known=columns.table_known,
        hidden=columns.index.hidden,
    )


def _service(columns: ColumnStore, place: int) -> KnownService:
    service, span = columns.index.services[place], columns.index.spans[place]
    return KnownService(
        name=service.name,
        key=service.key,
        row=columns.row(place),
        configured=service.configured,
        present=columns.entries[place],
        counters=columns.counters[place],
        pool=columns.pools[place],
        condition=columns.conditions[place],
        servers=tuple(_server(columns, number) for number in range(span.start, span.stop)),
    )


def _server(columns: ColumnStore, place: int) -> KnownServer:
    index = columns.index
    labels = index.server_labels[place]
    return KnownServer(
        name=labels[1],
        key=index.server_keys[place],
        labels=labels,
        configured=index.real_servers[place],
        sorry=index.sorry_servers[place],
        present=columns.rows[place],
        counted=columns.counted[place],
        placement=columns.placements[place],
        wanted=columns.wanted[place],
        status=columns.statuses[place],
        checks=tuple(zip(index.specs(place), columns.checks[place], strict=True)),
    )
