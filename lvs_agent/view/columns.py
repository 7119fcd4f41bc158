"""The column store: intent, snapshot and kernel joined, as one list for each fact, in the order of the index.

It is there for /metrics.  A family of metrics is one fact about every server, and is written by a few calls over whole
lists; making one object for each of ten thousand servers first would take longer than writing all families.  Readers
that show one service or server after another take ``inventory``, which is made from the same columns.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain

from lvs_agent.core.condition import ServiceCondition
from lvs_agent.core.pool import Membership, Placement
from lvs_agent.core.snapshot import CheckStatus, ServerStatus, Snapshot
from lvs_agent.model.check import CheckReport
from lvs_agent.model.ipvs import Destination, Service, Table
from lvs_agent.model.statistics import Statistics
from lvs_agent.view.series_index import IndexCache, SeriesIndex

_NEVER_SEEN = ServerStatus()
_NOTHING_KNOWN = ServiceCondition()
_NEVER_RUN = CheckStatus()


class ColumnStore:
    """All that is known of the services and servers at one moment.

    ``table_known`` False: the kernel could not be asked, so that an absent row means nothing.

    Columns with one entry for each of ``index.services``: ``entries``, ``counters``, ``pools`` and ``conditions``.
    Columns with one entry for each of ``index.server_labels``: ``rows``, ``counted``, ``placements``, ``statuses``, and
    ``checks``, the statuses of its checks.  An entry is None where there is nothing.
    """

    def __init__(
        self, snapshot: Snapshot, *, table: Table | None, statistics: Statistics | None, indexes: IndexCache
    ) -> None:
        found = table or Table()
        self.table_known = table is not None
        self.index: SeriesIndex = indexes.of(snapshot.intent, found)
        services = self.index.services
        self.entries = self.index.entries.values_in(found.entries)
        self.counters = self.index.counters.values_in(statistics.services if statistics else {})
        self.pools = [
            pool if service.configured else None
            for service, pool in zip(services, self.index.pools.values_in(snapshot.reconcile.pools), strict=True)
        ]
        self.conditions = [
            condition or _NOTHING_KNOWN for condition in self.index.conditions.values_in(snapshot.reconcile.conditions)
        ]
        self.rows: list[Destination | None] = list(
            chain.from_iterable(
                service.rows.values_in(entry.destinations if entry else {})
                for service, entry in zip(services, self.entries, strict=True)
            )
        )
        self.placements: list[Placement | None] = list(
            chain.from_iterable(
                service.placements.values_in(pool.placements if pool else {})
                for service, pool in zip(services, self.pools, strict=True)
            )
        )
        self.counted = self.index.counted.values_in(statistics.destinations if statistics else {})
        self.statuses = [status or _NEVER_SEEN for status in self.index.statuses.values_in(snapshot.servers)]
        known = snapshot.checks
        self.checks = [[known.get(check, _NEVER_RUN) for check in checks] for checks in self.index.checks]

    @cached_property
    def states(self) -> list[str | None]:
        """``"maintenance"``, else what is known of its health; None for servers that are not real servers."""
        found = zip(self.index.real_servers, self.placements, self.statuses, strict=True)
        return [None if server is None else state_of(placement, status) for server, placement, status in found]

    @cached_property
    def wanted(self) -> list[Destination | None]:
        """The desired row of each server, as decided last; None for one that should have no row."""
        found: list[Destination | None] = []
        for span, pool in zip(self.index.spans, self.pools, strict=True):
            sorry_active = pool is not None and pool.sorry_active
            for sorry, placement in zip(self.index.sorry_servers[span], self.placements[span], strict=True):
                found.append(sorry if sorry and sorry_active else placement.destination if placement else None)
        return found

    @cached_property
    def reports(self) -> list[list[CheckReport]]:
        """The last report of each check of a server that has one."""
        return [[status.last for status in checks if status.last is not None] for checks in self.checks]

    def row(self, place: int) -> Service:
        """The kernel's row of the service at ``place``, where it has one, else the configured one."""
        entry, service = self.entries[place], self.index.services[place]
        if entry is not None:
            return entry.service
        if service.configured is None:
            raise LookupError(service.name)  # every service of the index is configured or present
        return service.configured.service


def is_maintained(placement: Placement | None) -> bool:
    """Whether the operator has taken a real server out of service, as decided last."""
    return placement is not None and placement.membership is Membership.MAINTENANCE


def state_of(placement: Placement | None, status: ServerStatus) -> str:
    """``"maintenance"``, else what is known of its health."""
    return Membership.MAINTENANCE.value if is_maintained(placement) else status.health.value
