"""One round: read the table, decide, apply, read back.  Blocking, so that it runs as one step in its own thread.

The round is the only caller of ``apply`` in the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from lvs_agent.core.decide import Decision, History, decide
from lvs_agent.core.health import Health
from lvs_agent.core.pool import Pool
from lvs_agent.core.reconcile import Drift, DriftKind, find_drift, plan
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.errors import IpvsError, NotOwned
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.model.intent import Intent
from lvs_agent.model.ipvs import Operation, ServiceKey, Table, operation_name, service_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundInput:
    """Everything that a round starts from.

    ``scope`` None means every service.  ``history`` is what was done with real servers before; ``shares`` is the
    percent of its weight that each real server gets.  ``last_table`` is the table after the last round.  ``writes``
    False plans and applies nothing.  ``all_checked`` False: a check has not run yet, so the agent is not yet ready even
    if the table is in sync.
    """

    intent: Intent
    healths: Mapping[ServerKey, Health]
    history: History
    shares: Mapping[ServerKey, int] = field(default_factory=dict)
    owned: frozenset[ServiceKey]
    last_table: Table | None
    scope: frozenset[ServiceKey] | None = None
    writes: bool = True
    all_checked: bool = True


@dataclass(frozen=True, slots=True)
class Applied:
    """One operation that was tried; ``error`` None means that the kernel accepted it."""

    operation: Operation
    error: IpvsError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What a round found and did.

    ``last_table`` is the table read back, or None if it could not be read after something was applied (``unread`` has
    the error).  ``desired`` is the desired table in scope.  ``pending`` are the operations that are still needed.
    ``drift`` is what others have changed since the last round, ``repaired`` the number of those rows that were
    repaired.  ``wrong`` is how the owned services in scope differ from the desired table.
    """

    last_table: Table | None
    desired: Table
    pools: Mapping[ServiceKey, Pool]
    applied: tuple[Applied, ...]
    pending: tuple[Operation, ...]
    drift: tuple[Drift, ...]
    repaired: int
    wrong: tuple[Drift, ...]
    unread: IpvsError | None = None

    @property
    def failed(self) -> bool:
        """Whether an operation was refused or had no effect, or the table could not be read."""
        refused = any(one.error for one in self.applied)
        return self.unread is not None or refused or (bool(self.applied) and bool(self.pending))


def perform(backend: IpvsBackend, given: RoundInput) -> RoundResult:
    """Make one round.  Raises IpvsError if the table cannot be read; then nothing was applied."""
    concerned = given.owned if given.scope is None else given.owned & given.scope
    before = given.last_table or Table()
    observed = backend.read_table(given.scope)
    drift = find_drift(last_table=before, observed=observed, owned=concerned)
    decision = _decide(given, observed, drift)
    operations = plan(desired=decision.desired, observed=observed, owned=concerned)
    applied = _apply(backend, operations, owned=given.owned) if given.writes else ()
    try:
        left = _read_back(backend, observed, applied)
    except IpvsError as error:
        return RoundResult(
            last_table=None,
            desired=decision.desired,
            pools=decision.pools,
            applied=applied,
            pending=(),
            drift=drift,
            repaired=0,
            wrong=(),
            unread=error,
        )
    return RoundResult(
        last_table=left,
        desired=decision.desired,
        pools=decision.pools,
        applied=applied,
        pending=plan(desired=decision.desired, observed=left, owned=concerned),
        drift=drift,
        repaired=len(set(drift).difference(find_drift(last_table=before, observed=left, owned=concerned))),
        wrong=find_drift(last_table=decision.desired, observed=left, owned=concerned),
    )


def _decide(given: RoundInput, observed: Table, drift: tuple[Drift, ...]) -> Decision:
    deleted = {(one.service, one.destination) for one in drift if one.kind is DriftKind.MISSING and one.destination}
    history = replace(given.history, withdrawn=given.history.withdrawn | deleted)
    return decide(
        given.intent, healths=given.healths, history=history, observed=observed, scope=given.scope, shares=given.shares
    )


def _apply(
    backend: IpvsBackend, operations: tuple[Operation, ...], *, owned: AbstractSet[ServiceKey]
) -> tuple[Applied, ...]:
    """Apply ``operations`` in order.  If one is refused, the others of its service wait for the next round.

    So a service never loses its last destination when its replacement could not be added.  Everything that the agent
    writes goes through here, so here, whatever was planned, nothing reaches a service that is not ``owned``.
    """
    done: list[Applied] = []
    stopped: set[ServiceKey] = set()
    for operation in operations:
        if service_of(operation) in stopped:
            continue
        try:
            if service_of(operation) not in owned:
                raise NotOwned(f"{operation_name(operation)} {service_of(operation)}")
            backend.apply(operation)
        except IpvsError as error:
            stopped.add(service_of(operation))
            done.append(Applied(operation, error))
        else:
            done.append(Applied(operation))
    return tuple(done)


def _read_back(backend: IpvsBackend, observed: Table, applied: tuple[Applied, ...]) -> Table:
    if not applied:
        return observed
    touched = {service_of(one.operation) for one in applied}
    return replace_services(observed, backend.read_table(touched), touched)


def replace_services(table: Table, fresh: Table, services: AbstractSet[ServiceKey]) -> Table:
    """``table``, but with ``services`` as they are (or are missing) in ``fresh``."""
    kept = {key: entry for key, entry in table.entries.items() if key not in services}
    return Table(kept | {key: entry for key, entry in fresh.entries.items() if key in services})
