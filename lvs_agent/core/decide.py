"""One round's decision: from what is wanted, known and observed to the pools and the table that should be."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lvs_agent.core.desired import desired_table
from lvs_agent.core.health import Health
from lvs_agent.core.pool import Pool, form_pool
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.model.intent import Intent, VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey, ServiceKey, Table


@dataclass(frozen=True, slots=True)
class Decision:
    """The pool of each virtual service in question, and the table that follows from them."""

    pools: Mapping[ServiceKey, Pool]
    desired: Table


def decide(
    intent: Intent,
    *,
    healths: Mapping[ServerKey, Health],
    seen: AbstractSet[ServerKey],
    observed: Table,
    scope: AbstractSet[ServiceKey] | None = None,
) -> Decision:
    """The decision for every virtual service, or for those in ``scope``."""
    pools = [
        (service, _pool(service, healths=healths, seen=seen, observed=observed))
        for service in intent.services
        if scope is None or service.service.key in scope
    ]
    return Decision({service.service.key: pool for service, pool in pools}, desired_table(pools))


def _pool(
    service: VirtualService,
    *,
    healths: Mapping[ServerKey, Health],
    seen: AbstractSet[ServerKey],
    observed: Table,
) -> Pool:
    key = service.service.key
    servers = [server.key for server in service.real_servers]
    return form_pool(
        service,
        healths={server: healths[key, server] for server in servers if (key, server) in healths},
        observed=_rows(observed, key),
        seen={server for server in servers if (key, server) in seen},
    )


def _rows(table: Table, key: ServiceKey) -> Mapping[DestinationKey, Destination]:
    entry = table.entries.get(key)
    return {} if entry is None else entry.destinations
