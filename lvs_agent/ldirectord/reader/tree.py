"""Tables while they are made: every value knows the line that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lvs_agent.config.findings import Location
from lvs_agent.ldirectord.reader.values import Placed

Table = dict[str, Placed[Any]]
"""Keys with their values; a value may itself be a Table, or a list of Placed tables.  Line 0: not from the file."""

_OWN = frozenset({"command"})


def given(**keys: Placed[Any] | None) -> Table:
    """A table of those ``keys`` that have a value."""
    return {key: value for key, value in keys.items() if value is not None}


def seconds(number: Placed[int]) -> Placed[str]:
    """A duration as TOML files have it."""
    return Placed(f"{number.value}s", number.line)


def flattened(tree: Placed[Any], *, at: Location, places: dict[Location, int]) -> Any:
    """What ``tree`` is without lines; they go to ``places``."""
    if tree.line:
        places[at] = tree.line
    match tree.value:
        case dict():
            return {key: flattened(value, at=(*at, key), places=places) for key, value in tree.value.items()}
        case [Placed(), *_]:
            return [flattened(value, at=(*at, number), places=places) for number, value in enumerate(tree.value)]
    return tree.value


def shared(tables: Sequence[Table]) -> tuple[Table, list[Table]]:
    """What all of ``tables`` have in common, and what is left of each; a command always stays with its server."""
    if not tables:
        return {}, []
    common = {
        key: value
        for key, value in tables[0].items()
        if key not in _OWN and all(key in table and table[key].value == value.value for table in tables[1:])
    }
    return common, [{key: value for key, value in table.items() if key not in common} for table in tables]
