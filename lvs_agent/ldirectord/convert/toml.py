"""Writes the tables of a configuration as TOML, laid out like config.toml.example, with comments where they belong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lvs_agent.config.findings import Location
from lvs_agent.config.schema.check import COMMON_KEYS, CheckKeys
from lvs_agent.config.schema.keys import known_keys, models_in
from lvs_agent.config.schema.tables import CheckTables, DefaultsTable, File, RealServerTable, VirtualServiceTable
from lvs_agent.ldirectord.convert.notes import Note, Notes
from lvs_agent.settings.strict import Strict

_WIDTH = 120
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_CHECKS = known_keys(CheckTables)
_NO_NOTE = Note()

Table = Mapping[str, Any]


def to_toml(tables: Table, *, notes: Notes) -> str:
    """``tables`` as TOML, each of ``notes`` at its place; those of () open the file.

    ``tables`` hold texts, numbers, truth values, arrays and tables; none of their texts has a lone surrogate in it.
    """
    writer = _Writer(notes)
    paragraphs = [*writer.head(), *writer.paragraphs(tables)]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines) + "\n"


def inline(value: object) -> str:
    """``value`` as TOML on one line."""
    match value:
        case Mapping():
            inner = ", ".join(f"{_key(key)} = {inline(each)}" for key, each in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(map(inline, value))}]"
        case str():
            # What JSON escapes, and how, is TOML too; DEL alone must be escaped here and need not be there.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _order(model: type[Strict]) -> tuple[str, ...]:
    """The keys of ``model`` as they are declared, and the checks behind all others."""
    return (*(key for key in known_keys(model) if key not in _CHECKS), *_CHECKS)


_SERVER_ORDER = _order(RealServerTable)
_SERVICE_ORDER = _order(VirtualServiceTable)
_DEFAULTS_ORDER = _order(DefaultsTable)
_INNER_TABLES = frozenset(
    {*_CHECKS, *(key for key, info in VirtualServiceTable.model_fields.items() if any(models_in(info.annotation)))}
)
"""Keys of a service that get a section of their own where they are too long for a line."""


class _Writer:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._around_notes = {place[:length] for place in notes for length in range(len(place))}

    def head(self) -> Iterator[list[str]]:
        yield self._before(())

    def paragraphs(self, tables: Table) -> Iterator[list[str]]:
        for key, table in _ordered(tables, File.model_fields).items():
            if key == "virtual_service":
                for index, service in enumerate(table):
                    yield from self._service(service, at=(key, index))
            else:
                yield from self._table(f"[{key}]", table, at=(key,))

    def _table(self, header: str, table: Table, *, at: Location) -> Iterator[list[str]]:
        """A table that has at most a check inside it."""
        table = _ordered(table, _DEFAULTS_ORDER)
        plain = {key: value for key, value in table.items() if key != "check"}
        if plain or at in self._notes:
            yield self._section(header, plain, at=at)
        if "check" in table:
            yield self._section(f"{header[:-1]}.check]", _ordered_check(table["check"]), at=(*at, "check"))

    def _service(self, service: Table, *, at: Location) -> Iterator[list[str]]:
        service = _ordered(service, _SERVICE_ORDER)
        if "check" in service:
            service = {**service, "check": _ordered_check(service["check"])}
        apart = [
            key for key, value in service.items() if key in _INNER_TABLES and not self._fits(key, value, at=(*at, key))
        ]
        section = {key: value for key, value in service.items() if key not in apart}
        yield self._section("[[virtual_service]]", section, at=at)
        for key in apart:
            inside = (*at, key)
            if key == "real_server":
                for index, server in enumerate(service[key]):
                    yield self._section(
                        "[[virtual_service.real_server]]", _ordered(server, _SERVER_ORDER), at=(*inside, index)
                    )
            else:
                yield self._section(f"[virtual_service.{key}]", service[key], at=inside)

    def _fits(self, key: str, value: Any, *, at: Location) -> bool:
        """Whether ``value`` can stand on one line, and an array of servers on one line each."""
        if key == "real_server":
            return all(len(_server(server)) <= _WIDTH for server in value)
        return at not in self._around_notes and len(f"{key} = {inline(value)}") <= _WIDTH

    def _section(self, header: str, table: Table, *, at: Location) -> list[str]:
        lines = [*self._before(at), self._with_note(header, at)]
        for key, value in table.items():
            place = (*at, key)
            lines += self._before(place)
            if key == "real_server":
                lines += self._servers(value, at=place)
            else:
                lines.append(self._with_note(f"{_key(key)} = {inline(value)}", place))
        return lines

    def _servers(self, servers: Sequence[Table], *, at: Location) -> Iterator[str]:
        yield "real_server = ["
        for index, server in enumerate(servers):
            yield from (f"  {line}" for line in self._before((*at, index)))
            yield self._with_note(_server(server), (*at, index))
        yield "]"

    def _before(self, at: Location) -> list[str]:
        return [f"# {_printable(text)}".rstrip() for text in self._notes.get(at, _NO_NOTE).before]

    def _with_note(self, line: str, at: Location) -> str:
        text = self._notes.get(at, _NO_NOTE).behind
        return line if text is None else f"{line}  # {_printable(text)}"


def _server(server: Table) -> str:
    return f"  {inline(_ordered(server, _SERVER_ORDER))},"


def _ordered(table: Table, order: Iterable[str]) -> Table:
    places = {key: place for place, key in enumerate(order)}
    return dict(sorted(table.items(), key=lambda item: places.get(item[0], -1)))


def _ordered_check(table: Table) -> Table:
    """Type, what is the type's own, and what every check has."""
    first = {key: table[key] for key in ("type",) if key in table}
    own = {key: value for key, value in table.items() if key not in COMMON_KEYS}
    return first | own | {key: table[key] for key in known_keys(CheckKeys) if key in table}


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else inline(key)


def _printable(comment: str) -> str:
    """``comment`` without what TOML does not take in one."""
    return _UNPRINTABLE.sub("\ufffd", comment)
