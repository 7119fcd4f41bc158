"""Finds the secrets in check tables, and says how a configuration looks that has them in files of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lvs_agent.config.check_sets import Checkers
from lvs_agent.config.findings import Location, readable_path
from lvs_agent.config.schema.check import DEFAULT_TYPE
from lvs_agent.config.schema.secret_keys import secret_places
from lvs_agent.ldirectord.convert.layers import merged

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.-]+")
_PUBLIC_HEADERS = frozenset({"accept", "accept-language", "cache-control", "pragma", "user-agent"})

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A secret that is written in the configuration.

    ``inner``: it is a value of a table such as headers, which names a file in another way than a key of its own does.
    ``path`` is for people, ``file`` a name that no other secret of the configuration has.
    """

    location: Location
    inner: bool
    text: str = field(repr=False)
    path: str
    file: str

    @property
    def content(self) -> str:
        """What the file must have in it: reading cuts one line break off."""
        return self.text + ("\r\n" if self.text.endswith("\r") else "\n")


def secrets_in(tables: Table, *, checkers: Checkers) -> tuple[Written, ...]:
    """Every secret in ``tables``, which are laid out like the TOML file and free of errors."""
    found: list[Written] = []
    names: set[str] = set()
    for location, text, inner in _found(tables, checkers):
        path = readable_path(location, tables)
        file = plain = _NOT_IN_A_NAME.sub("-", path).strip("-.")
        while file in names:
            file = f"{plain}-{len(names)}"
        names.add(file)
        found.append(Written(location=location, inner=inner, text=text, path=path, file=file))
    return tuple(found)


def with_files(tables: Table, secrets: Sequence[Written], *, directory: Path) -> dict[str, Any]:
    """``tables`` with the name of a file in ``directory`` instead of each of ``secrets``."""
    moved: dict[str, Any] = dict(tables)
    for secret in secrets:
        moved = _replaced(moved, secret.location, secret, str(directory / secret.file))
    return moved


def moved_place(location: Location, secrets: Sequence[Written]) -> Location:
    """Where what stood at ``location`` is in the tables that ``with_files`` makes."""
    own_key = any(secret.location == location and not secret.inner for secret in secrets)
    return (*location[:-1], f"{location[-1]}_file") if own_key else location


def _found(tables: Table, checkers: Checkers) -> Iterator[tuple[Location, str, bool]]:
    defaults = tables.get("defaults", {}).get("check")
    yield from _in_check(defaults, (), ("defaults", "check"), checkers)
    for index, service in enumerate(tables.get("virtual_service", ())):
        at: Location = ("virtual_service", index)
        check = service.get("check")
        yield from _in_check(check, (defaults,), (*at, "check"), checkers)
        for place, server in enumerate(service.get("real_server", ())):
            inside = (*at, "real_server", place, "check")
            yield from _in_check(server.get("check"), (defaults, check), inside, checkers)


def _in_check(
    table: Table | None, around: Sequence[Table | None], at: Location, checkers: Checkers
) -> Iterator[tuple[Location, str, bool]]:
    kind = merged((*around, table), checkers=checkers).type or DEFAULT_TYPE
    yield from _in_table(table or {}, checkers[kind].settings, at)


def _in_table(table: Table, model: type[BaseModel], at: Location) -> Iterator[tuple[Location, str, bool]]:
    places = secret_places(model)
    for key, value in table.items():
        if key in places.keys and isinstance(value, str):
            yield (*at, key), value, False
        elif key in places.tables:
            for name, text in value.items():
                if isinstance(text, str) and name.lower() not in _PUBLIC_HEADERS:
                    yield (*at, key, name), text, True
        elif key in places.inner and isinstance(value, Mapping):
            yield from _in_table(value, places.inner[key], (*at, key))


def _replaced(node: Any, way: Location, secret: Written, file: str) -> Any:
    part, rest = way[0], way[1:]
    if isinstance(node, Mapping):
        new_key = f"{part}_file" if not rest and not secret.inner else part
        value = _replaced(node[part], rest, secret, file) if rest else ({"file": file} if secret.inner else file)
        return {(new_key if key == part else key): value if key == part else old for key, old in node.items()}
    return [_replaced(each, rest, secret, file) if index == part else each for index, each in enumerate(node)]
