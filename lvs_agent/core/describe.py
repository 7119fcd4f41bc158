"""Operations as facts, with the same keys in the log, in ``plan`` and in the API."""

from __future__ import annotations

from collections.abc import Mapping

from lvs_agent.model.ipvs import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    ServiceKey,
    UpdateDestination,
    UpdateService,
    operation_name,
    service_of,
)


def describe(operation: Operation, *, names: Mapping[ServiceKey, str]) -> dict[str, str | int]:
    """The facts of ``operation`` by key; ``names`` are the names of the services."""
    key = service_of(operation)
    facts: dict[str, str | int] = {"operation": operation_name(operation), "virtual_service": names.get(key, str(key))}
    match operation:
        case AddService(service) | UpdateService(service):
            facts["scheduler"] = service.scheduler
        case AddDestination(_, destination) | UpdateDestination(_, destination):
            facts["real_server"] = str(destination.key)
            facts["forwarding"] = destination.forwarding.value
            facts["weight"] = destination.weight
        case DeleteDestination(_, server):
            facts["real_server"] = str(server)
        case DeleteService():
            pass
    if isinstance(operation, UpdateService | UpdateDestination):
        facts["changed"] = ",".join(operation.changed)
    return facts
