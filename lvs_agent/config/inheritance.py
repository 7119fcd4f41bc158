"""How check tables inherit: key by key, from [defaults] through the virtual service to the real server.

A key's value is taken whole, even where it is a table or an array.  Where the type changes, keys that only the other
type has are dropped; the keys of ``CheckKeys`` stay.  The several ways to write one secret are one key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lvs_agent.checks.kinds import Checker
from lvs_agent.config.findings import Location
from lvs_agent.config.schema import CheckKeys
from lvs_agent.config.secrets import secret_places
from lvs_agent.config.sentences import known_keys

DEFAULT_TYPE: str = CheckKeys.model_fields["type"].default
COMMON_KEYS = frozenset(known_keys(CheckKeys))

Checkers = Mapping[str, Checker]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCheck:
    """The keys that hold at some place, each with the place where it was written.

    ``type`` is None where the type that was written does not exist.
    """

    type: str | None = DEFAULT_TYPE
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    places: Mapping[str, Location] = field(default_factory=lambda: MappingProxyType({}))


def inherit(outer: WrittenCheck, table: Mapping[str, Any], *, at: Location, checkers: Checkers) -> WrittenCheck:
    """What holds inside, where ``table``, which stands at ``at``, is written below ``outer``."""
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
