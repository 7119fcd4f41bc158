"""The desired table, from the operator's intent and the pool of each virtual service."""

from __future__ import annotations

from collections.abc import Iterable

from lvs_agent.core.pool import Pool
from lvs_agent.model.intent import VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey, ServiceEntry, Table


def desired_table(pools: Iterable[tuple[VirtualService, Pool]]) -> Table:
    """One service row for each virtual service, with the destination rows of its pool."""
    return Table({service.service.key: ServiceEntry(service.service, _rows(service, pool)) for service, pool in pools})


def _rows(service: VirtualService, pool: Pool) -> dict[DestinationKey, Destination]:
    rows = {
        key: placement.destination for key, placement in pool.placements.items() if placement.destination is not None
    }
    if pool.sorry_active and service.sorry_server is not None:
        rows[service.sorry_server.key] = service.sorry_server
    return rows
