"""Says everything once, as far out as it holds: what all services share in [defaults], what all real servers share in
their service.  The tables mean the same afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lvs_agent.config.destinations import DEFAULT_WEIGHT
from lvs_agent.config.inheritance import DEFAULT_TYPE, Checkers, WrittenCheck
from lvs_agent.config.services import DEFAULT_SCHEDULER
from lvs_agent.ldirectord.convert.layers import Habit, factor, factor_checks, merged
from lvs_agent.model.intent import OnStop
from lvs_agent.model.ipvs import Protocol

Table = Mapping[str, Any]

POOL_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "forwarding": "direct",
        "on_down": "remove",
        "initial": "down",
        "readd_quiesced": True,
        "checked": True,
        "pass_when": "all",
    }
)
"""What holds where nobody writes these keys of a pool."""

_SERVER_DEFAULTS = {"weight": DEFAULT_WEIGHT, "upper_threshold": 0, "lower_threshold": 0}
_SHARED_DEFAULTS = {"scheduler": DEFAULT_SCHEDULER, **POOL_DEFAULTS}
_MOVED = frozenset({*_SHARED_DEFAULTS, *_SERVER_DEFAULTS, "check"})


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
        key: factor(key, [each.pool[key] for each in services], default=default, habit=habit)
        for key, default in _SHARED_DEFAULTS.items()
    }
    habit = Habit(least=2, written=defaults.get("check", {}))
    check, checks = factor_checks([each.check for each in services], checkers=checkers, habit=habit, of_servers=False)
    outer = {key: common for key, (common, _) in shared.items()} | {"check": dict(check.values)}
    columns = {key: inner for key, (_, inner) in shared.items()} | {"check": checks}
    on_stop = tables.get("agent", {}).get("on_stop", OnStop.KEEP.value)
    whole = {
        **{key: value for key, value in tables.items() if key not in {"defaults", "virtual_service"}},
        "defaults": _filled(_unmoved(defaults), outer),
        "virtual_service": [
            _pruned(_filled(service.own, _row(columns, index)), on_stop) for index, service in enumerate(services)
        ],
    }
    return {key: value for key, value in whole.items() if value}


def _service(table: Table, defaults: Table, checkers: Checkers) -> _Service:
    around = (table, defaults)
    written: Sequence[Table] = table.get("real_server", ())
    limits = {key: _limit(key, written, around) for key in _SERVER_DEFAULTS}
    pool = {key: _pool_value(key, written, around) for key in POOL_DEFAULTS}
    check, checks = _checks(table, defaults, checkers)
    columns = {key: inner for key, (_, inner) in {**limits, **pool}.items()} | {"check": checks}
    own = _filled(_unmoved(table), {key: common for key, (common, _) in limits.items()})
    own["real_server"] = [
        _filled(_without_usual_port(_unmoved(server), table), _row(columns, index))
        for index, server in enumerate(written)
    ]
    if "sorry_server" in table:
        own["sorry_server"] = _sorry_server(table["sorry_server"], around, inherited=pool["forwarding"][0])
    scheduler = _first("scheduler", around, DEFAULT_SCHEDULER)
    return _Service(
        own=own, pool={"scheduler": scheduler} | {key: value for key, (value, _) in pool.items()}, check=check
    )


def _limit(key: str, written: Sequence[Table], around: tuple[Table, Table]) -> tuple[Any, list[Any]]:
    """What to write for a weight or threshold in the service and in each server.  Weights that differ all show."""
    default = _SERVER_DEFAULTS[key]
    values = [_first(key, (server, *around), default) for server in written]
    common, inner = factor(key, values, default=default, habit=Habit(least=2, unanimous=True))
    return common, values if key == "weight" and len(set(values)) > 1 else inner


def _pool_value(key: str, written: Sequence[Table], around: tuple[Table, Table]) -> tuple[Any, list[Any]]:
    """What holds for ``key`` at the service, and what to write in each server."""
    default = POOL_DEFAULTS[key]
    if not written:
        return _first(key, around, default), []
    values = [_first(key, (server, *around), default) for server in written]
    common, inner = factor(key, values, default=default, habit=Habit(written=around[0]))
    return (default if common is None else common), inner


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


def _sorry_server(table: Table, around: tuple[Table, Table], *, inherited: str) -> dict[str, Any]:
    forwarding = _first("forwarding", (table, *around), POOL_DEFAULTS["forwarding"])
    rest = {key: value for key, value in _without_usual_port(table, around[0]).items() if key != "forwarding"}
    return rest if forwarding == inherited else {**rest, "forwarding": forwarding}


def _pruned(service: Table, on_stop: str) -> dict[str, Any]:
    """Without what would hold anyway."""
    usual = {"on_stop": on_stop, "protocol": Protocol.TCP.value, "one_packet": False, "quorum": 1, "real_server": []}
    return {key: value for key, value in service.items() if key not in usual or usual[key] != value}


def _unmoved(table: Table) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _MOVED}


def _row(columns: Mapping[str, Sequence[Any]], index: int) -> dict[str, Any]:
    return {key: column[index] for key, column in columns.items()}


def _filled(table: Table, values: Table) -> dict[str, Any]:
    """``table`` with those of ``values`` that say something."""
    return {**table, **{key: value for key, value in values.items() if value is not None and value != {}}}


def _first(key: str, tables: Sequence[Table], default: Any) -> Any:
    return next((table[key] for table in tables if key in table), default)
