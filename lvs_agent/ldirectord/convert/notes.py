"""The place of each comment and warning of an ldirectord.cf in the compact tables."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from lvs_agent.config.findings import Location
from lvs_agent.ldirectord.convert.unused import without_secrets
from lvs_agent.ldirectord.reader import Reading
from lvs_agent.ldirectord.reader.notes import line_of

_WIDTH = 116
_ON_ONE_LINE = frozenset({"real_server", "sorry_server", "sorry_command", "persistence"})


@dataclass(frozen=True, slots=True)
class Note:
    """Comments of one table or value: those on lines before it, and the one behind it on its own line."""

    before: tuple[str, ...] = ()
    behind: str | None = None


Notes = Mapping[Location, Note]


def notes(reading: Reading, tables: Mapping[str, Any], *, lines: Sequence[str], file: str) -> Notes:
    """Every comment and warning of ``reading``, which was made of ``lines``, by its place in ``tables``.

    What a warning says is preceded by ``file`` and its line.
    """
    before: dict[Location, dict[str, None]] = {}
    behind: dict[Location, str] = {}
    for location, texts in reading.comments.items():
        place, itself = settled(location, tables)
        line = _line(lines, reading.places.get(location, 0)) if itself else ""
        for text in texts:
            if text is texts[-1] and place not in behind and text and line.endswith(text):
                behind[place] = without_secrets(text)
            else:
                before.setdefault(place, {})[without_secrets(text)] = None
    made = _Made(reading.places)
    for warning in reading.warnings:
        place, _ = settled(made.of_line(line_of(warning)) if warning.path else (), tables)
        lines_of_it = wrap(f"{file} {warning}", _WIDTH, subsequent_indent="  ")
        before.setdefault(place, {}).update(dict.fromkeys(lines_of_it))
    found = dict.fromkeys([*before, *behind])
    return {place: Note(tuple(before.get(place, ())), behind.get(place)) for place in found}


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number - 1].rstrip() if 0 < number <= len(lines) else ""


def settled(location: Location, tables: Mapping[str, Any]) -> tuple[Location, bool]:
    """Where what stood at ``location`` has a line in ``tables``, and whether it is that itself, there or further out.

    Else it is what was around it.
    """
    for candidate in _outwards(location):
        if _is_there(candidate, tables):
            return _on_line(candidate), True
    around = location[:-1]
    while not _is_there(around, tables):
        around = around[:-1]
    return _on_line(around), _on_line(location) == _on_line(around)


def _outwards(location: Location) -> Iterator[Location]:
    yield location
    match location:
        case ("virtual_service", index, "real_server", _, str(), *_):
            yield ("virtual_service", index, *location[4:])
            yield ("defaults", *location[4:])
        case ("virtual_service", _, str(), *_):
            yield ("defaults", *location[2:])


def _is_there(location: Location, tables: Mapping[str, Any]) -> bool:
    node: Any = tables
    for part in location:
        there = part in node if isinstance(node, Mapping) else isinstance(part, int) and part < len(node)
        if not there:
            return False
        node = node[part]
    return location[-1:] not in {("virtual_service",), ("real_server",)}


def _on_line(location: Location) -> Location:
    """The innermost table or value around ``location`` that has a line of its own."""
    match location:
        case ("virtual_service", _, "real_server", _, *_):
            return location[:4]
        case ("virtual_service", _, str(key), *_) if key in _ON_ONE_LINE:
            return location[:3]
    return location[:4]


class _Made:
    """What was made of each line."""

    def __init__(self, places: Mapping[Location, int]) -> None:
        self._of_line: dict[int, Location] = {}
        for location, line in places.items():
            if line not in self._of_line or len(location) < len(self._of_line[line]):
                self._of_line[line] = location
        self._services = sorted((line, location) for location, line in places.items() if _is_service(location))

    def of_line(self, number: int) -> Location:
        """What was made of the line; else the virtual service that it stands in; else the whole file."""
        if number in self._of_line:
            return self._of_line[number]
        around = bisect_right(self._services, number, key=lambda start: start[0])
        return self._services[around - 1][1] if around else ()


def _is_service(location: Location) -> bool:
    return location[:1] == ("virtual_service",) and len(location) == 2
