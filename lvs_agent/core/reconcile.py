"""The operations between the observed table and the desired table, and what others have changed.

Rules of this file:

1. Only owned services are touched.
2. Make before break: services are added and changed first, then destinations are added, then raised, then lowered
   to weight 0, then deleted; services are deleted last.  If a plan is interrupted at any point,
   a service that had a destination in service before, and will have one afterwards, has one meanwhile.
3. The comparison uses every attribute of a row; a row that differs is one update.
4. A plan is used once: the next round starts from the table that the kernel has then.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from enum import Enum

from lvs_agent.model.ipvs import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    DestinationKey,
    Operation,
    Service,
    ServiceEntry,
    ServiceKey,
    Table,
    UpdateDestination,
    UpdateService,
)


def plan(*, desired: Table, observed: Table, owned: AbstractSet[ServiceKey]) -> tuple[Operation, ...]:
    """The operations that make the ``owned`` part of ``observed`` equal to ``desired``, in the order to apply them.

    An owned service that ``desired`` does not have is deleted.
    """
    operations = [
        operation
        for key, wanted in desired.entries.items()
        if key in owned
        for operation in _service_operations(wanted, observed.entries.get(key))
    ]
    operations += [DeleteService(key) for key in observed.entries if key in owned and key not in desired.entries]
    return tuple(sorted(operations, key=_rank))


def _service_operations(wanted: ServiceEntry, present: ServiceEntry | None) -> Iterator[Operation]:
    service = wanted.service
    if present is None:
        yield AddService(service)
        yield from (AddDestination(service.key, row) for row in wanted.destinations.values())
        return
    if changed := changed_fields(present.service, service):
        yield UpdateService(service, changed)
    for key, row in wanted.destinations.items():
        old = present.destinations.get(key)
        if old is None:
            yield AddDestination(service.key, row)
        elif changed := changed_fields(old, row):
            yield UpdateDestination(service.key, row, changed)
    for key in present.destinations:
        if key not in wanted.destinations:
            yield DeleteDestination(service.key, key)


def changed_fields(old: Service | Destination, new: Service | Destination) -> tuple[str, ...]:
    """Names of the fields in which two rows with the same key differ."""
    if old == new:
        return ()
    return tuple(field.name for field in fields(new) if getattr(old, field.name) != getattr(new, field.name))


def _rank(operation: Operation) -> int:
    match operation:
        case AddService() | UpdateService():
            return 0
        case AddDestination():
            return 1
        case UpdateDestination(_, destination):
            return 2 if destination.weight > 0 else 3
        case DeleteDestination():
            return 4
        case DeleteService():
            return 5


class DriftKind(Enum):
    """What others have done to a row of an owned service."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    MODIFIED = "modified"


@dataclass(frozen=True, slots=True)
class Drift:
    """One row of an owned service that others have changed; ``destination`` None means the row of the service."""

    kind: DriftKind
    service: ServiceKey
    destination: DestinationKey | None = None


def find_drift(*, last_table: Table, observed: Table, owned: AbstractSet[ServiceKey]) -> tuple[Drift, ...]:
    """The differences in owned services between the table after the last round and the observed table.

    A deleted service counts once, not once for each of its destinations.  A service that ``last_table`` does
    not have is not drift.
    """
    return tuple(
        drift
        for key, entry in last_table.entries.items()
        if key in owned
        for drift in _drift_of(entry, observed.entries.get(key))
    )


def _drift_of(last: ServiceEntry, present: ServiceEntry | None) -> Iterator[Drift]:
    key = last.service.key
    if present is None:
        yield Drift(DriftKind.MISSING, key)
        return
    if present.service != last.service:
        yield Drift(DriftKind.MODIFIED, key)
    for row_key, row in last.destinations.items():
        now = present.destinations.get(row_key)
        if now is None:
            yield Drift(DriftKind.MISSING, key, row_key)
        elif now != row:
            yield Drift(DriftKind.MODIFIED, key, row_key)
    for row_key in present.destinations:
        if row_key not in last.destinations:
            yield Drift(DriftKind.UNEXPECTED, key, row_key)
