"""Which checks hold at some place of the file, as written: the one without a name, and those that have one.

A check table inherits key by key from the one of the same name further out: from [defaults] through the virtual service
to the real server.  A key's value is taken whole, even where it is a table or an array.  Where the type changes, keys
that only the other type has are dropped; the keys of ``CheckKeys`` stay.  The several ways to write one secret are one
key.  Nothing is validated here: that is done with what holds in the end (``check_plans``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lvs_agent.checks.kinds import Checker
from lvs_agent.config.findings import Location
from lvs_agent.config.schema.check import COMMON_KEYS, DEFAULT_TYPE
from lvs_agent.config.schema.keys import known_keys
from lvs_agent.config.schema.secret_keys import secret_places

Checkers = Mapping[str, Checker]
MAIN = ""
"""The name of the check that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCheck:
    """The keys that hold at some place, each with the place where it was written.

    ``type`` is None where the type that was written does not exist, or where something else than a table was written.
    """

    type: str | None = DEFAULT_TYPE
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    places: Mapping[str, Location] = field(default_factory=lambda: MappingProxyType({}))


_NOTHING = WrittenCheck()
_UNREADABLE = WrittenCheck(type=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSet:
    """``main`` is the check without a name, which counts unless nothing was written of it and others were."""

    main: WrittenCheck = _NOTHING
    named: Mapping[str, WrittenCheck] = field(default_factory=lambda: MappingProxyType({}))

    def members(self) -> Iterator[tuple[str, WrittenCheck]]:
        """The checks that hold, each with its name."""
        if self.main is not _NOTHING or not self.named:
            yield MAIN, self.main
        yield from self.named.items()

    def get(self, name: str) -> WrittenCheck:
        """The check called ``name``, or one of which nothing is written."""
        return self.main if name == MAIN else self.named.get(name, _NOTHING)

    def inside(self, table: object, *, at: Location, checkers: Checkers) -> CheckSet:
        """What holds inside ``table``, which is at ``at``; this set itself if the table has no checks."""
        if not isinstance(table, Mapping):
            return self
        main = inherit(self.main, table.get("check", {}), at=place_of(MAIN, at=at), checkers=checkers)
        written = table.get("checks", {})
        if not isinstance(written, Mapping):
            return CheckSet(main=_UNREADABLE)
        named = {
            name: inherit(self.get(name), check, at=place_of(name, at=at), checkers=checkers)
            for name, check in written.items()
        }
        if main is self.main and not named:
            return self
        return CheckSet(main=main, named={**self.named, **named})


def place_of(name: str, *, at: Location) -> Location:
    """Where the check called ``name`` of the table at ``at`` is written."""
    return (*at, "check") if name == MAIN else (*at, "checks", name)


def inherit(outer: WrittenCheck, table: object, *, at: Location, checkers: Checkers) -> WrittenCheck:
    """What holds inside ``table``, which is at ``at`` and inherits from ``outer``."""
    if not isinstance(table, Mapping):
        return _UNREADABLE
    if not table:
        return outer
    type_ = _type_inside(outer, table, checkers)
    checker = None if type_ is None else checkers[type_]
    written = {owner_of(key, checker) for key in table}
    kept = {
        key: value
        for key, value in outer.values.items()
        if owner_of(key, checker) not in written
        and (type_ == outer.type or belongs(key, checker))
        and not (key == "port" and "type" in table and checker is not None and not checker.settings.uses_port)
    }
    return WrittenCheck(
        type=type_,
        values={**kept, **table},
        places={key: outer.places[key] for key in kept} | {key: (*at, key) for key in table},
    )


def owner_of(key: str, checker: Checker | None) -> str:
    """The setting that ``key`` writes: ``"password"`` for ``"password_file"`` where that is a secret."""
    return key if checker is None else secret_places(checker.settings).owner(key)


def belongs(key: str, checker: Checker | None) -> bool:
    """Whether a check of this kind has such a key."""
    return key in COMMON_KEYS or (checker is not None and owner_of(key, checker) in known_keys(checker.settings))


def _type_inside(outer: WrittenCheck, table: Mapping[str, Any], checkers: Checkers) -> str | None:
    given = table.get("type", outer.type)
    return given if isinstance(given, str) and given in checkers else None
