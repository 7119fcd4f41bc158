"""What a decision about a pool means to those who watch a virtual service: its quorum, and its sorry server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lvs_agent.core.pool import UNDECIDED, Membership, Pool
from lvs_agent.model.event import EventKind
from lvs_agent.model.intent import VirtualService
from lvs_agent.model.ipvs import AddDestination, DeleteDestination, DestinationKey, Operation, ServiceEntry, ServiceKey

_UP = frozenset({Membership.POOLED, Membership.DRAINED})


@dataclass(frozen=True, slots=True)
class Standing:
    """``up``: real servers that are up and not in maintenance.  ``quorum`` and ``sorry``: whether enough of them are,
    and whether the sorry server serves; None while nobody knows.
    """

    up: int = 0
    quorum: bool | None = None
    sorry: bool | None = None


def standing_of(
    service: VirtualService,
    pool: Pool,
    *,
    left: ServiceEntry | None,
    moved: AbstractSet[tuple[ServiceKey, DestinationKey]],
    before: Standing,
) -> tuple[Standing, Standing]:
    """The standing before and after a round that decided ``pool`` and left the rows ``left``.

    ``moved``: the destinations that it has added or deleted.  Where a sorry server is among them of which nothing was
    known before, it was not as it is now.
    """
    members = [placement.membership for placement in pool.placements.values()]
    up = sum(member in _UP for member in members)
    reached = up >= service.quorum
    open_yet = not reached and up + sum(member in UNDECIDED for member in members) >= service.quorum
    quorum = before.quorum if open_yet else reached
    sorry = None
    sorry_before = before.sorry
    if service.sorry_server is not None:
        sorry = pool.sorry_active and left is not None and service.sorry_server.key in left.destinations
        if sorry_before is None:
            was_moved = (service.service.key, service.sorry_server.key) in moved
            sorry_before = not sorry if was_moved else sorry
    return Standing(before.up, before.quorum, sorry_before), Standing(up, quorum, sorry)


def turns(before: Standing, after: Standing) -> Iterator[EventKind]:
    """What has happened between two standings of one service."""
    if after.quorum is False and before.quorum is not False:
        yield EventKind.QUORUM_LOST
    if after.sorry and before.sorry is False:
        yield EventKind.SORRY_SERVER_BEGUN
    if before.sorry and after.sorry is False:
        yield EventKind.SORRY_SERVER_ENDED
    if after.quorum and before.quorum is False:
        yield EventKind.QUORUM_REGAINED


def moved_by(operations: Iterable[Operation]) -> frozenset[tuple[ServiceKey, DestinationKey]]:
    """The destinations that ``operations`` add or delete."""
    return frozenset(
        (one.service, one.destination.key if isinstance(one, AddDestination) else one.key)
        for one in operations
        if isinstance(one, AddDestination | DeleteDestination)
    )
