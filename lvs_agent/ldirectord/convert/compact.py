"""Says everything once, as far out as it holds: what all services share in [defaults], what all real servers share in
their service.  The tables mean the same afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lvs_agent.config.check_sets import Checkers, WrittenCheck
from lvs_agent.config.schema.agent import AgentTable
from lvs_agent.config.schema.check import DEFAULT_TYPE
from lvs_agent.config.schema.keys import Mark, defaults_as_written, marked
from lvs_agent.config.schema.tables import DefaultsTable, RealServerTable, SorryServerTable, VirtualServiceTable
from lvs_agent.ldirectord.convert.layers import Habit, factor, factor_checks, merged
from lvs_agent.settings.strict import Strict

Table = Mapping[str, Any]


def _inherited(inner: type[Strict], outer: type[Strict]) -> tuple[str, ...]:
    """The keys that a table inherits from the table around it, and that have a value where nobody writes them."""
    both = marked(inner, Mark.INHERITED) & marked(outer, Mark.INHERITED)
    return tuple(key for key in defaults_as_written(inner) if key in both)


_USUAL = defaults_as_written(VirtualServiceTable)
_OF_SERVERS = _inherited(RealServerTable, VirtualServiceTable)
_OF_SERVICES = _inherited(VirtualServiceTable, DefaultsTable)
_LIMITS = tuple(key for key in _OF_SERVERS if key == "weight" or key not in _OF_SERVICES)
"""Keys that stay with a service or its real servers, and are moved to the service where all of these agree.  Weights
are shares of one another: they are read together.
"""
_POOL = tuple(key for key in _OF_SERVERS if key not in _LIMITS)
_SHARED = tuple(key for key in _OF_SERVICES if key not in _LIMITS)
_MOVED = frozenset({*_OF_SERVERS, *_OF_SERVICES, "check"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """A service whose servers are as short as they can be: ``own`` without what is still to be compared with others.

    ``pool`` and ``check`` hold at the service.
    """

    own: Table
    pool: Table
    check: WrittenCheck


def compact(tables: Table, *, checkers: Checkers) -> dict[str, Any]:
    """``tables``, which are laid out like the TOML file and free of errors, shorter and with the same meaning.

    Defaults without a service are left as they are: there may be services later.
    """
    if not tables.get("virtual_service"):
        return {key: value for key, value in tables.items() if value}
    defaults: Table = tables.get("defaults", {})
    services = [_service(each, defaults, checkers) for each in tables.get("virtual_service", ())]
    habit = Habit(least=2, written=defaults)
    shared = {
        key: factor(key, [each.pool[key] for each in services], default=_USUAL[key], habit=habit) for key in _SHARED
    }
    habit = Habit(least=2, written=defaults.get("check", {}))
    check, checks = factor_checks([each.check for each in services], checkers=checkers, habit=habit, of_servers=False)
    outer = {key: common for key, (common, _) in shared.items()} | {"check": dict(check.values)}
    columns = {key: inner for key, (_, inner) in shared.items()} | {"check": checks}
    usual = {**_USUAL, **_of_agent(tables.get("agent", {}))}
    whole = {
        **{key: value for key, value in tables.items() if key not in {"defaults", "virtual_service"}},
        "defaults": _filled(_unmoved(defaults), outer),
        "virtual_service": [
            _pruned(_filled(service.own, _row(columns, index)), usual) for index, service in enumerate(services)
        ],
    }
    return {key: value for key, value in whole.items() if value}


def _service(table: Table, defaults: Table, checkers: Checkers) -> _Service:
    around = (table, defaults)
    written: Sequence[Table] = table.get("real_server", ())
    limits = {key: _limit(key, written, around) for key in _LIMITS}
    pool = {key: _pool_value(key, written, around) for key in _POOL}
    check, checks = _checks(table, defaults, checkers)
    columns = {key: inner for key, (_, inner) in {**limits, **pool}.items()} | {"check": checks}
    own = _filled(_unmoved(table), {key: common for key, (common, _) in limits.items()})
    own["real_server"] = [
        _filled(_without_usual_port(_unmoved(server), table), _row(columns, index))
        for index, server in enumerate(written)
    ]
    shared = {key: pool[key][0] if key in pool else _first(key, around) for key in _SHARED}
    if "sorry_server" in table:
        own["sorry_server"] = _sorry_server(table["sorry_server"], around, inherited=shared)
    return _Service(own=own, pool=shared, check=check)


def _limit(key: str, written: Sequence[Table], around: tuple[Table, Table]) -> tuple[Any, list[Any]]:
    """What to write for a weight or threshold in the service and in each server.  Weights that differ all show."""
    values = [_first(key, (server, *around)) for server in written]
    common, inner = factor(key, values, default=_USUAL[key], habit=Habit(least=2, unanimous=True))
    return common, values if key == "weight" and len(set(values)) > 1 else inner


def _pool_value(key: str, written: Sequence[Table], around: tuple[Table, Table]) -> tuple[Any, list[Any]]:
    """What holds for ``key`` at the service, and what to write in each server."""
    if not written:
        return _first(key, around), []
    values = [_first(key, (server, *around)) for server in written]
    common, inner = factor(key, values, default=_USUAL[key], habit=Habit(written=around[0]))
    return (_USUAL[key] if common is None else common), inner


def _checks(table: Table, defaults: Table, checkers: Checkers) -> tuple[WrittenCheck, list[dict[str, Any]]]:
    """The check that holds at the service, and the check table of each server."""
    outer = (defaults.get("check"), table.get("check"))
    written: Sequence[Table] = table.get("real_server", ())
    if not written:
        return merged(outer, checkers=checkers), []
    checks = [
        _without_usual_check_port(merged((*outer, server.get("check")), checkers=checkers), server, table, checkers)
        for server in written
    ]
    return factor_checks(checks, checkers=checkers, habit=Habit(written=table.get("check", {})), of_servers=True)


def _without_usual_check_port(check: WrittenCheck, server: Table, service: Table, checkers: Checkers) -> WrittenCheck:
    usual = server.get("port") or service.get("port") or checkers[check.type or DEFAULT_TYPE].settings.default_port
    if check.values.get("port") != usual:
        return check
    return merged([{key: value for key, value in check.values.items() if key != "port"}], checkers=checkers)


def _without_usual_port(server: Table, service: Table) -> dict[str, Any]:
    usual = service.get("port", 0)
    return {key: value for key, value in server.items() if key != "port" or value != usual}


def _sorry_server(table: Table, around: tuple[Table, Table], *, inherited: Table) -> dict[str, Any]:
    """The sorry server as it was, although what it inherits from the service may have become something else."""
    keys = _inherited(SorryServerTable, VirtualServiceTable)
    rest = {key: value for key, value in _without_usual_port(table, around[0]).items() if key not in keys}
    own = {key: _first(key, (table, *around)) for key in keys}
    return rest | {key: value for key, value in own.items() if value != inherited[key]}


def _of_agent(agent: Table) -> dict[str, Any]:
    """What holds for services that do not say otherwise because of the table [agent]."""
    keys = _inherited(VirtualServiceTable, AgentTable)
    return {key: agent[key] for key in keys if key in agent}


def _pruned(service: Table, usual: Table) -> dict[str, Any]:
    """Without what would hold anyway."""
    return {key: value for key, value in service.items() if key in _MOVED or key not in usual or usual[key] != value}


def _unmoved(table: Table) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _MOVED}


def _row(columns: Mapping[str, Sequence[Any]], index: int) -> dict[str, Any]:
    return {key: column[index] for key, column in columns.items()}


def _filled(table: Table, values: Table) -> dict[str, Any]:
    """``table`` with those of ``values`` that say something."""
    return {**table, **{key: value for key, value in values.items() if value is not None and value != {}}}


def _first(key: str, tables: Sequence[Table]) -> Any:
    """What the innermost of ``tables`` that writes ``key`` has there, else what holds where nobody does."""
    return next((table[key] for table in tables if key in table), _USUAL[key])
