"""What the operator wants, what the agent knows and what the kernel has, joined: columns beside those of the roster.

Lists, and not one object a server: that would take longer than everything that /metrics says of it.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain

from lvs_agent.core.pool import Membership, Placement
from lvs_agent.core.snapshot import CheckStatus, ServerStatus, Snapshot
from lvs_agent.metrics.roster import Roster, Rosters
from lvs_agent.model.check import CheckReport
from lvs_agent.model.ipvs import Destination, Service, Table
from lvs_agent.model.statistics import Statistics

_NEVER_SEEN = ServerStatus()
_NEVER_RUN = CheckStatus()


class Columns:
    """All that is known of the services and servers of one moment.

    ``table_known`` False: the kernel could not be asked, so that an absent row means nothing.

    Beside ``roster.rolls``, one for each service: ``entries``, ``counters`` and ``pools``.  Beside
    ``roster.server_labels``, one for each server: ``rows``, ``counted``, ``placements``, ``statuses``, and ``checks``,
    the statuses of its checks.  None stands for what there is not.
    """

    def __init__(
        self, snapshot: Snapshot, *, table: Table | None, statistics: Statistics | None, rosters: Rosters
    ) -> None:
        found = table or Table()
        self.table_known = table is not None
        self.roster: Roster = rosters.of(snapshot.intent, found)
        rolls = self.roster.rolls
        self.entries = self.roster.entries.follow(found.entries)
        self.counters = self.roster.counters.follow(statistics.services if statistics else {})
        self.pools = [
            pool if roll.configured else None
            for roll, pool in zip(rolls, self.roster.pools.follow(snapshot.reconcile.pools), strict=True)
        ]
        self.rows: list[Destination | None] = list(
            chain.from_iterable(
                roll.rows.follow(entry.destinations if entry else {})
                for roll, entry in zip(rolls, self.entries, strict=True)
            )
        )
        self.placements: list[Placement | None] = list(
            chain.from_iterable(
                roll.placements.follow(pool.placements if pool else {})
                for roll, pool in zip(rolls, self.pools, strict=True)
            )
        )
        self.counted = self.roster.counted.follow(statistics.destinations if statistics else {})
        self.statuses = [status or _NEVER_SEEN for status in self.roster.statuses.follow(snapshot.servers)]
        known = snapshot.checks
        self.checks = [[known.get(check, _NEVER_RUN) for check in checks] for checks in self.roster.checks]

    @cached_property
    def states(self) -> list[str | None]:
        """``"maintenance"``, else what is known of its health; None for what is no real server."""
        found = zip(self.roster.real_servers, self.placements, self.statuses, strict=True)
        return [None if server is None else state_of(placement, status) for server, placement, status in found]

    @cached_property
    def wanted(self) -> list[Destination | None]:
        """The row that each server should have, as decided last; None for one that should have none."""
        found: list[Destination | None] = []
        for span, pool in zip(self.roster.spans, self.pools, strict=True):
            sorry_active = pool is not None and pool.sorry_active
            for sorry, placement in zip(self.roster.sorry_servers[span], self.placements[span], strict=True):
                found.append(sorry if sorry and sorry_active else placement.destination if placement else None)
        return found

    @cached_property
    def reports(self) -> list[list[CheckReport]]:
        """The last report of each check of a server that has one."""
        return [[status.last for status in checks if status.last is not None] for checks in self.checks]

    def row(self, place: int) -> Service:
        """The kernel's row of the service at ``place``, where it has one, else the configured one."""
        entry, roll = self.entries[place], self.roster.rolls[place]
        if entry is not None:
            return entry.service
        if roll.configured is None:
            raise LookupError(roll.name)  # who is on the roster is configured or present
        return roll.configured.service


def is_maintained(placement: Placement | None) -> bool:
    """Whether the operator has taken a real server out of service, as decided last."""
    return placement is not None and placement.membership is Membership.MAINTENANCE


def state_of(placement: Placement | None, status: ServerStatus) -> str:
    """``"maintenance"``, else what is known of its health."""
    return Membership.MAINTENANCE.value if is_maintained(placement) else status.health.value
