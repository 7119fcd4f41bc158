"""The status of the reconcile loop and the conditions of the services after a round.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from lvs_agent.control.round import RoundInput, RoundResult, replace_services
from lvs_agent.core.condition import ServiceCondition, conditions_after
from lvs_agent.core.pool import Pool
from lvs_agent.core.snapshot import ReconcileStatus
from lvs_agent.model.ipvs import ServiceKey, Table, operation_name, service_of

_Kind = TypeVar("_Kind", bound=Hashable)


def account_round(
    status: ReconcileStatus, given: RoundInput, result: RoundResult, *, duration_s: float, now: float
) -> ReconcileStatus:
    """The status of the reconcile loop after a round; services out of scope keep their status."""
    merged = replace(
        _merge(status, given.scope, result),
        conditions=new_conditions(status.conditions, given, pools=result.pools, table=result.last_table),
    )
    problems = [f"{operation_name(one.operation)}: {one.error}" for one in result.applied if one.error]
    problems += [str(result.unread)] if result.unread else []
    return replace(
        merged,
        rounds=status.rounds + 1,
        errors=status.errors + result.failed,
        last_error="; ".join(problems),
        last_success_at=status.last_success_at if result.failed else now,
        durations=status.durations.with_values((duration_s,)),
        drift_repairs=status.drift_repairs + result.repaired,
        operations=_count(status.operations, (operation_name(one.operation) for one in result.applied)),
        operation_errors=_count(
            status.operation_errors,
            ((operation_name(one.operation), one.error.errno_name) for one in result.applied if one.error),
        ),
        converged_once=status.converged_once or (given.all_checked and not merged.pending and not result.failed),
    )


def new_conditions(
    before: Mapping[ServiceKey, ServiceCondition],
    given: RoundInput,
    *,
    pools: Mapping[ServiceKey, Pool] = MappingProxyType({}),
    table: Table | None = None,
) -> Mapping[ServiceKey, ServiceCondition]:
    """The conditions of the services after a round; without a table if the round could not read it."""
    return conditions_after(
        before,
        given.intent,
        scope=given.scope,
        healths=given.healths,
        maintained=given.history.maintained,
        pools=pools,
        table=table,
    )


def _merge(status: ReconcileStatus, scope: frozenset[ServiceKey] | None, result: RoundResult) -> ReconcileStatus:
    if scope is None or status.last_table is None or result.last_table is None:
        return replace(
            status, last_table=result.last_table, pools=result.pools, pending=result.pending, drift=result.wrong
        )
    return replace(
        status,
        last_table=replace_services(status.last_table, result.last_table, scope),
        pools={**status.pools, **result.pools},
        pending=(*(one for one in status.pending if service_of(one) not in scope), *result.pending),
        drift=(*(one for one in status.drift if one.service not in scope), *result.wrong),
    )


def _count(counts: Mapping[_Kind, int], kinds: Iterable[_Kind]) -> Mapping[_Kind, int]:
    return dict(Counter(counts) + Counter(kinds))
