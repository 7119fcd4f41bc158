"""What each real server of a virtual service should be in the table, and why.

Rules of this file:

1. A real server has exactly one membership, and it is decided here.
2. Up means its configured row.  Down means no row, or weight 0 where the operator chose to quiesce.
3. Unknown keeps what the kernel has: in service stays in service, weight 0 stays at weight 0, absent stays absent.
   Only a server that was never seen before follows ``initial``.
4. The sorry server serves exactly while no real server has a weight above 0.  Where it is a real server too, its
   row is the sorry server's for that time.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from lvs_agent.core.health import Health
from lvs_agent.model.intent import Initial, OnDown, RealServer, VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey


class Membership(Enum):
    """Why a real server has the weight it has."""

    POOLED = "pooled"
    """Up: in service as configured."""
    HELD = "held"
    """Unknown: kept as the kernel has it."""
    ADMITTED = "admitted"
    """Unknown and never seen before: in service because ``initial`` is ``up``."""
    WAITING = "waiting"
    """Unknown and not in the table: waits for its first verdict."""
    QUIESCED = "quiesced"
    """Down: weight 0."""
    REMOVED = "removed"
    """Down: not in the table."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A real server's membership, and its row (None: it has none)."""

    membership: Membership
    destination: Destination | None


@dataclass(frozen=True, slots=True)
class Pool:
    """The decision for one virtual service."""

    placements: Mapping[DestinationKey, Placement]
    sorry_active: bool


def form_pool(
    service: VirtualService,
    *,
    healths: Mapping[DestinationKey, Health],
    observed: Mapping[DestinationKey, Destination],
    seen: AbstractSet[DestinationKey],
) -> Pool:
    """The pool of ``service``, given what is known of its real servers and what the kernel has.

    ``seen`` are the real servers that were part of this service before, by this process or an earlier one.
    """
    placements = {
        server.key: _place(
            server,
            health=healths.get(server.key, Health.UNKNOWN),
            observed=observed.get(server.key),
            seen=server.key in seen,
        )
        for server in service.real_servers
    }
    serving = any(
        placement.destination is not None and placement.destination.weight > 0 for placement in placements.values()
    )
    return Pool(placements, sorry_active=service.sorry_server is not None and not serving)


def _place(server: RealServer, *, health: Health, observed: Destination | None, seen: bool) -> Placement:
    match health:
        case Health.UP:
            return Placement(Membership.POOLED, server.destination)
        case Health.DOWN if server.on_down is OnDown.QUIESCE:
            return Placement(Membership.QUIESCED, _at_weight_0(server))
        case Health.DOWN:
            return Placement(Membership.REMOVED, None)
        case Health.UNKNOWN if observed is not None:
            return Placement(Membership.HELD, server.destination if observed.weight > 0 else _at_weight_0(server))
        case Health.UNKNOWN if server.initial is Initial.UP and not seen:
            return Placement(Membership.ADMITTED, server.destination)
        case Health.UNKNOWN:
            return Placement(Membership.WAITING, None)


def _at_weight_0(server: RealServer) -> Destination:
    return replace(server.destination, weight=0)
