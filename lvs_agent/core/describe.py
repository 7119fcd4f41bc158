"""Operations in words: the same keys in the log, in ``plan`` and in the API."""

from __future__ import annotations

from lvs_agent.model.ipvs import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    UpdateDestination,
    UpdateService,
    operation_name,
    service_of,
)


def describe(operation: Operation) -> dict[str, object]:
    """The facts of ``operation`` by the key that each has everywhere."""
    facts: dict[str, object] = {"operation": operation_name(operation), "virtual_service": str(service_of(operation))}
    match operation:
        case AddService(service) | UpdateService(service):
            facts["scheduler"] = service.scheduler
        case AddDestination(_, destination) | UpdateDestination(_, destination):
            facts["real_server"] = str(destination.key)
            facts["forwarding"] = destination.forwarding.value
            facts["weight"] = destination.weight
        case DeleteDestination(_, key):
            facts["real_server"] = str(key)
        case DeleteService():
            pass
    if isinstance(operation, UpdateService | UpdateDestination):
        facts["changed"] = ",".join(operation.changed)
    return facts
