"""What several tables have in common, moved to the table around them: the opposite of inheritance.

A value is written where it holds for most, and again only where it differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lvs_agent.checks.kinds import Checker
from lvs_agent.config.check_sets import Checkers, WrittenCheck, belongs, inherit
from lvs_agent.config.schema.check import DEFAULT_TYPE, CheckKeys
from lvs_agent.config.schema.keys import defaults_as_written

_OF_A_SERVER = frozenset({"address", "port"})
_NEEDS_PORT = frozenset({"port", "connects_between"})


CHECK_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {key: value for key, value in defaults_as_written(CheckKeys).items() if key != "type"}
)
"""What holds where nobody writes these keys of a check, as it would be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """When a value is common enough to be moved out: more than half of the tables have it, and at least ``least``.

    ``written``: what is written outside already; it stays there as long as no other value is more common.
    ``unanimous``: all must have it.
    """

    least: int = 1
    written: Mapping[str, Any] = field(default_factory=dict)
    unanimous: bool = False

    def common(self, key: str, values: Sequence[Any]) -> Any:
        """The value that is to be moved out, or None."""
        if not values:
            return None
        counts = Counter(map(repr, values))
        text, count = counts.most_common(1)[0]
        if counts[repr(self.written.get(key))] == count:
            return self.written[key]
        if count * 2 <= len(values) or count < (len(values) if self.unanimous else self.least):
            return None
        return next(value for value in values if repr(value) == text)


def factor(key: str, values: Sequence[Any], *, default: Any, habit: Habit) -> tuple[Any, list[Any]]:
    """What to write for ``key`` in the outer table, and in each inner one, which shall have ``values``.

    None: nothing.  ``default`` holds where nothing is written.
    """
    common = habit.common(key, values)
    inherited = default if common is None else common
    return (None if inherited == default else inherited), [None if each == inherited else each for each in values]


def factor_checks(
    checks: Sequence[WrittenCheck], *, checkers: Checkers, habit: Habit, of_servers: bool
) -> tuple[WrittenCheck, list[dict[str, Any]]]:
    """The check to write in the outer table, and in each inner one, so that ``checks`` hold there.

    ``of_servers``: whether address and port, which belong to servers, may be moved out too.
    """
    common_type = habit.common("type", [check.type for check in checks])
    type_ = common_type or DEFAULT_TYPE
    explicit = common_type and any("type" in check.values for check in checks if check.type == type_)
    values = {"type": type_} if explicit else {}
    for key in dict.fromkeys(key for check in checks for key in check.values):
        if key == "type" or not _can_have(key, checkers[type_]) or (key in _OF_A_SERVER and not of_servers):
            continue
        common = habit.common(key, _values_of(key, checks, checkers=checkers))
        if common is not None:
            values[key] = common
    outer = merged([values], checkers=checkers)
    return outer, [check_table(check, below=outer, checkers=checkers) for check in checks]


def check_table(check: WrittenCheck, *, below: WrittenCheck, checkers: Checkers) -> dict[str, Any]:
    """What to write inside ``below`` so that ``check`` holds there; a type that was named stays named."""
    unnamed = "type" in check.values and "type" not in below.values
    table = {"type": check.type} if unnamed or check.type != below.type else {}
    inherited = inherit(below, table, at=(), checkers=checkers).values
    wanted, there = {**CHECK_DEFAULTS, **check.values}, {**CHECK_DEFAULTS, **inherited}
    return table | {key: value for key, value in wanted.items() if key != "type" and there.get(key) != value}


def merged(tables: Iterable[object], *, checkers: Checkers) -> WrittenCheck:
    """What holds where check tables are written one inside the other, the outermost first; None is not a table."""
    check = WrittenCheck()
    for table in tables:
        if isinstance(table, Mapping) and table:
            check = inherit(check, table, at=(), checkers=checkers)
    return check


def _values_of(key: str, checks: Sequence[WrittenCheck], *, checkers: Checkers) -> list[Any]:
    """What every check that would inherit ``key`` has there; nothing where one of them could not say otherwise."""
    able = [check for check in checks if _can_have(key, checkers[check.type or DEFAULT_TYPE])]
    values = [check.values.get(key, CHECK_DEFAULTS.get(key)) for check in able]
    return [] if None in values else values


def _can_have(key: str, checker: Checker) -> bool:
    return checker.settings.uses_port if key in _NEEDS_PORT else belongs(key, checker)
