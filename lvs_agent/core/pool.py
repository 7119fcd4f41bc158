"""The desired row of each real server of a virtual service, and the reason.

Rules of this file:

1. A real server has exactly one membership, and it is decided here.
2. A server that is up has its configured row, with the share of its weight that its checks allow.  A server that is
   down has no row, or weight 0 with ``on_down = "quiesce"``.
3. A server with unknown health stays as the kernel has it: in service, at weight 0, or absent.  Only a server that was
   never seen before follows ``initial``.
4. A server in maintenance is treated like one that is down, whatever its checks say.
5. A row at weight 0 that others have deleted is added again, unless ``readd_quiesced`` is false; then it stays deleted
   until the server is in service again.
6. The service fails over to its sorry server exactly while no real server has a weight above 0.  If the sorry server is
   also a real server, it has the sorry server's row during that time.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from lvs_agent.core.health import Health
from lvs_agent.model.intent import Initial, OnDown, RealServer, VirtualService
from lvs_agent.model.ipvs import MAX_WEIGHT, Destination, DestinationKey


class Membership(Enum):
    """Why a real server has the weight it has."""

    POOLED = "pooled"
    """Up: in service as configured."""
    HELD = "held"
    """Unknown: stays as the kernel has it."""
    ADMITTED = "admitted"
    """Unknown and never seen before: in service because ``initial`` is ``up``."""
    WAITING = "waiting"
    """Unknown and not in the table: waits for the first results of its checks."""
    QUIESCED = "quiesced"
    """Down: weight 0."""
    REMOVED = "removed"
    """Down: not in the table."""
    MAINTENANCE = "maintenance"
    """In maintenance, with weight 0 or without a row."""
    DRAINED = "drained"
    """Up, but its agent check requests no new connections: weight 0."""
    WITHDRAWN = "withdrawn"
    """Desired weight 0, but others have deleted its row, and it is not added again."""


UNDECIDED = frozenset({Membership.HELD, Membership.ADMITTED, Membership.WAITING})


@dataclass(frozen=True, slots=True)
class Placement:
    """The membership of a real server, and its row (None: no row)."""

    membership: Membership
    destination: Destination | None


@dataclass(frozen=True, slots=True)
class Pool:
    """The decision for one virtual service.  ``serving``: a real server has a weight above 0."""

    placements: Mapping[DestinationKey, Placement]
    sorry_active: bool

    @property
    def serving(self) -> bool:
        rows = (placement.destination for placement in self.placements.values())
        return any(row is not None and row.weight > 0 for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was done with the real servers of one service, apart from their health.

    ``seen``: servers that were part of the service before, in this process or an earlier one.  ``maintained``: servers
    in maintenance.  ``withdrawn``: servers whose rows had weight 0 and were deleted by others.
    """

    seen: AbstractSet[DestinationKey] = frozenset()
    maintained: AbstractSet[DestinationKey] = frozenset()
    withdrawn: AbstractSet[DestinationKey] = frozenset()


FULL = 100
"""Percent of its weight that a server has by default."""


def form_pool(
    service: VirtualService,
    *,
    healths: Mapping[DestinationKey, Health],
    observed: Mapping[DestinationKey, Destination],
    past: Past,
    shares: Mapping[DestinationKey, int] = MappingProxyType({}),
) -> Pool:
    """The pool of ``service``, given what is known of its real servers and what the kernel has.

    ``shares``: percent of its weight for each real server that does not get ``FULL``.
    """
    placements = {
        server.key: _place(
            server,
            health=healths.get(server.key, Health.UNKNOWN),
            observed=observed.get(server.key),
            past=past,
            share=shares.get(server.key, FULL),
        )
        for server in service.real_servers
    }
    pool = Pool(placements, sorry_active=False)
    return replace(pool, sorry_active=service.sorry_server is not None and not pool.serving)


def has_no_serving_server(service: VirtualService, pool: Pool) -> bool | None:
    """Whether no real server has a weight above 0; None while a check without a result may still change that."""
    if pool.serving:
        return False
    checked = {server.key for server in service.real_servers if server.checks}
    waiting = any(place.membership in UNDECIDED and key in checked for key, place in pool.placements.items())
    return None if waiting else True


def _place(server: RealServer, *, health: Health, observed: Destination | None, past: Past, share: int) -> Placement:
    if server.key in past.maintained:
        return _out(server, Membership.MAINTENANCE, observed=observed, past=past)
    match health:
        case Health.UP:
            return Placement(Membership.POOLED if share else Membership.DRAINED, _at_share(server, share))
        case Health.DOWN:
            out = Membership.QUIESCED if server.on_down is OnDown.QUIESCE else Membership.REMOVED
            return _out(server, out, observed=observed, past=past)
        case Health.UNKNOWN if observed is not None:
            return Placement(Membership.HELD, server.destination if observed.weight > 0 else _at_weight_0(server))
        case Health.UNKNOWN if server.initial is Initial.UP and server.key not in past.seen:
            return Placement(Membership.ADMITTED, server.destination)
        case Health.UNKNOWN:
            return Placement(Membership.WAITING, None)


def _out(server: RealServer, membership: Membership, *, observed: Destination | None, past: Past) -> Placement:
    """The placement of a server that must not get new connections."""
    if server.on_down is OnDown.REMOVE:
        return Placement(membership, None)
    if observed is None and server.key in past.withdrawn and not server.readd_quiesced:
        return Placement(Membership.WITHDRAWN, None)
    return Placement(membership, _at_weight_0(server))


def _at_share(server: RealServer, percent: int) -> Destination:
    """The row with ``percent`` of its weight: at least 1, unless the configured weight or the share is 0."""
    row = server.destination
    if percent == FULL or row.weight == 0:
        return row
    if percent == 0:
        return _at_weight_0(server)
    return replace(row, weight=min(MAX_WEIGHT, max(1, round(row.weight * percent / FULL))))


def _at_weight_0(server: RealServer) -> Destination:
    return replace(server.destination, weight=0)
