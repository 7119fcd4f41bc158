"""The condition of a virtual service: its quorum and its sorry server.

Rules of this file:

1. The quorum is decided here and nowhere else; status page, API, metrics and events all use the result.
2. A real server counts as up if it is up according to its checks and is not in maintenance.
3. The quorum is reached if enough real servers are up.  It is not reached if there would not be enough even if all
   undecided servers were up.  Otherwise it is unknown, and nothing is reported.
4. The sorry server is active if the decision is to use it and its row is in the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from lvs_agent.core.health import Health
from lvs_agent.core.pool import Pool
from lvs_agent.model.event import EventKind
from lvs_agent.model.intent import Intent, VirtualService
from lvs_agent.model.ipvs import (
    AddDestination,
    DeleteDestination,
    DestinationKey,
    Operation,
    ServiceEntry,
    ServiceKey,
    Table,
)


class ServiceState(Enum):
    """The state of a virtual service in one word."""

    UP = "up"
    """Its quorum is reached."""
    BELOW_QUORUM = "below_quorum"
    """Its quorum is not reached, but a real server is up or undecided."""
    DOWN = "down"
    """No real server is up, and none is undecided."""
    UNKNOWN = "unknown"
    """Its quorum depends on real servers that are undecided."""


@dataclass(frozen=True, slots=True)
class ServiceCondition:
    """What is known of a virtual service as a whole.

    ``up``: number of real servers that are up and not in maintenance; ``undecided``: number of those with unknown
    health.  ``quorum_reached``: None while unknown.  ``quorum_lost``: when last known, the quorum was not reached.
    ``sorry_active``: None without a sorry server, and until the table has been read once.
    """

    up: int = 0
    undecided: int = 0
    quorum_reached: bool | None = None
    quorum_lost: bool = False
    sorry_active: bool | None = None

    @property
    def state(self) -> ServiceState:
        """The condition in one word."""
        if self.quorum_reached is None:
            return ServiceState.UNKNOWN
        if self.quorum_reached:
            return ServiceState.UP
        return ServiceState.BELOW_QUORUM if self.up or self.undecided else ServiceState.DOWN


def conditions_after(
    before: Mapping[ServiceKey, ServiceCondition],
    intent: Intent,
    *,
    scope: AbstractSet[ServiceKey] | None,
    healths: Mapping[tuple[ServiceKey, DestinationKey], Health],
    maintained: AbstractSet[tuple[ServiceKey, DestinationKey]],
    pools: Mapping[ServiceKey, Pool],
    table: Table | None,
) -> Mapping[ServiceKey, ServiceCondition]:
    """The condition of each service of ``intent`` after a round; those outside ``scope`` (None: all) are as ``before``.

    ``healths`` and ``maintained``: the input of the round's decision; ``pools``: the decision.  ``table``: the table as
    read back; None if it was not read, and then sorry servers keep their state.
    """
    after: dict[ServiceKey, ServiceCondition] = {}
    for service in intent.services:
        key = service.service.key
        condition = before.get(key, _NOTHING_KNOWN)
        if scope is None or key in scope:
            condition = _with_healths(condition, service, healths=healths, maintained=maintained)
            if table is not None and key in pools:
                condition = _with_table(condition, service, pool=pools[key], entry=table.entries.get(key))
        after[key] = condition
    return after


_NOTHING_KNOWN = ServiceCondition()


def _with_healths(
    before: ServiceCondition,
    service: VirtualService,
    *,
    healths: Mapping[tuple[ServiceKey, DestinationKey], Health],
    maintained: AbstractSet[tuple[ServiceKey, DestinationKey]],
) -> ServiceCondition:
    keys = [(service.service.key, server.key) for server in service.real_servers]
    counted = [healths.get(key, Health.UNKNOWN) for key in keys if key not in maintained]
    up, undecided = counted.count(Health.UP), counted.count(Health.UNKNOWN)
    reached = True if up >= service.quorum else None if up + undecided >= service.quorum else False
    return replace(
        before,
        up=up,
        undecided=undecided,
        quorum_reached=reached,
        quorum_lost=before.quorum_lost if reached is None else not reached,
    )


def _with_table(
    before: ServiceCondition, service: VirtualService, *, pool: Pool, entry: ServiceEntry | None
) -> ServiceCondition:
    if service.sorry_server is None:
        return replace(before, sorry_active=None)
    in_table = entry is not None and service.sorry_server.key in entry.destinations
    return replace(before, sorry_active=pool.sorry_active and in_table)


def events_between(
    before: ServiceCondition,
    after: ServiceCondition,
    service: VirtualService,
    *,
    moved: AbstractSet[tuple[ServiceKey, DestinationKey]] = frozenset(),
) -> Iterator[EventKind]:
    """What happened between two conditions of one service.

    ``moved``: the destinations that were added or deleted in between.  If nothing was known of a sorry server before,
    there is an event only if it is in ``moved``: a restart that finds it active is not an event.
    """
    was_active = before.sorry_active
    if was_active is None and after.sorry_active is not None and service.sorry_server is not None:
        was_moved = (service.service.key, service.sorry_server.key) in moved
        was_active = after.sorry_active is not was_moved
    if after.quorum_lost and not before.quorum_lost:
        yield EventKind.QUORUM_LOST
    if after.sorry_active and was_active is False:
        yield EventKind.SORRY_SERVER_ACTIVATED
    if was_active and after.sorry_active is False:
        yield EventKind.SORRY_SERVER_DEACTIVATED
    if before.quorum_lost and not after.quorum_lost:
        yield EventKind.QUORUM_REGAINED


def moved_by(operations: Iterable[Operation]) -> frozenset[tuple[ServiceKey, DestinationKey]]:
    """The destinations that ``operations`` add or delete."""
    return frozenset(
        (one.service, one.destination.key if isinstance(one, AddDestination) else one.key)
        for one in operations
        if isinstance(one, AddDestination | DeleteDestination)
    )
