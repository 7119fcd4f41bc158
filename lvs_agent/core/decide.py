"""One round's decision: the pools and the desired table, from the intent, the healths and the observed table."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType

from lvs_agent.core.desired import desired_table
from lvs_agent.core.health import Health
from lvs_agent.core.pool import Membership, Past, Pool, form_pool
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.model.intent import Intent, VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey, ServiceKey, Table


@dataclass(frozen=True, slots=True)
class Decision:
    """The pool of each virtual service in scope, and the desired table that follows from them."""

    pools: Mapping[ServiceKey, Pool]
    desired: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was done with real servers, apart from their health: ``Past`` for every service at once."""

    seen: AbstractSet[ServerKey] = frozenset()
    maintained: AbstractSet[ServerKey] = frozenset()
    withdrawn: AbstractSet[ServerKey] = frozenset()


def decide(
    intent: Intent,
    *,
    healths: Mapping[ServerKey, Health],
    history: History,
    observed: Table,
    scope: AbstractSet[ServiceKey] | None = None,
    shares: Mapping[ServerKey, int] = MappingProxyType({}),
) -> Decision:
    """The decision for every virtual service, or for those in ``scope``."""
    pools = [
        (service, _pool(service, healths=healths, history=history, observed=observed, shares=shares))
        for service in intent.services
        if scope is None or service.service.key in scope
    ]
    return Decision({service.service.key: pool for service, pool in pools}, desired_table(pools))


def withdrawn_after(withdrawn: AbstractSet[ServerKey], pools: Mapping[ServiceKey, Pool]) -> frozenset[ServerKey]:
    """The withdrawn real servers after the decision ``pools``; ``withdrawn`` are those before it.

    A server that waits for its first result stays among them, because the knowledge of an earlier process still counts.
    """
    placements = {
        (service, server): place for service, pool in pools.items() for server, place in pool.placements.items()
    }
    fresh = {key for key, place in placements.items() if place.membership is Membership.WITHDRAWN}
    kept = {key for key in withdrawn if key not in placements or placements[key].destination is None}
    return frozenset(fresh | kept)


def _pool(
    service: VirtualService,
    *,
    healths: Mapping[ServerKey, Health],
    history: History,
    observed: Table,
    shares: Mapping[ServerKey, int],
) -> Pool:
    key = service.service.key
    servers = [server.key for server in service.real_servers]

    def among(keys: AbstractSet[ServerKey]) -> set[DestinationKey]:
        return {server for server in servers if (key, server) in keys}

    return form_pool(
        service,
        healths={server: healths[key, server] for server in servers if (key, server) in healths},
        observed=_rows(observed, key),
        past=Past(seen=among(history.seen), maintained=among(history.maintained), withdrawn=among(history.withdrawn)),
        shares={server: shares[key, server] for server in servers if (key, server) in shares},
    )


def _rows(table: Table, key: ServiceKey) -> Mapping[DestinationKey, Destination]:
    entry = table.entries.get(key)
    return {} if entry is None else entry.destinations
