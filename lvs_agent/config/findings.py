"""Problems while they are collected: each knows the place in the file's tables, so that they can be put in order.

A *location* is the way from the top of the file to a value: keys, and positions in arrays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lvs_agent.errors import Problem

Location = tuple[str | int, ...]

_LARGEST_SHOWN = 2**64
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of the value at ``location``.

    ``on_table``: the text names the key itself, so that only the table around it is named as the place.
    """

    location: Location
    text: str
    on_table: bool = False


ProblemFormatter = Callable[[Iterable[Finding], Mapping[str, Any]], tuple[Problem, ...]]
"""Makes problems of findings about tables: their order, and how their places are called."""


class Report:
    """Collects what is wrong, and what is doubtful."""

    __slots__ = ("_errors", "_warnings")

    def __init__(self) -> None:
        self._errors: dict[Finding, None] = {}
        self._warnings: dict[Finding, None] = {}

    def error(self, location: Location, text: str) -> None:
        """The configuration cannot be used because of the value at ``location``."""
        self.add([Finding(location, text)])

    def warning(self, location: Location, text: str) -> None:
        """The configuration can be used, but perhaps not as it was meant."""
        self._warnings[Finding(location, text)] = None

    def add(self, findings: Iterable[Finding]) -> None:
        """Add errors; the same one twice counts once."""
        self._errors.update(dict.fromkeys(findings))

    def errors(self, tables: Mapping[str, Any], *, formatter: ProblemFormatter | None = None) -> tuple[Problem, ...]:
        """Every error in the order of the file that ``tables`` were read from; ``formatter`` names the places."""
        return (formatter or by_path)(self._errors, tables)

    def warnings(self, tables: Mapping[str, Any], *, formatter: ProblemFormatter | None = None) -> tuple[Problem, ...]:
        """Every warning, likewise."""
        return (formatter or by_path)(self._warnings, tables)


def readable_path(location: Location, tables: Mapping[str, Any]) -> str:
    """``"virtual_service[web].real_server[10.0.0.1:80].weight"``: elements of arrays by name, else by position."""
    path = ""
    node: Any = tables
    around: Any = {}
    for step, part in enumerate(location):
        node, parent = _child(node, part), node
        if isinstance(part, int):
            path += f"[{_label(location[:step], node, around) or f'#{part + 1}'}]"
        else:
            path += f"{'.' if path else ''}{part if _BARE_KEY.fullmatch(part) else json.dumps(part)}"
            around = parent
    return path


def by_path(findings: Iterable[Finding], tables: Mapping[str, Any]) -> tuple[Problem, ...]:
    """``findings`` in the order of ``tables``, each with its place as a path of keys."""
    order: dict[int, dict[str, int]] = {}
    ordered = sorted(findings, key=lambda finding: _position(finding.location, tables, order))
    return tuple(
        Problem(
            readable_path(found.location[:-1] if found.on_table else found.location, tables), _on_one_line(found.text)
        )
        for found in ordered
    )


def _on_one_line(text: str) -> str:
    """``text``, which may repeat keys and names of files, with control characters as TOML writes them."""
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


def _position(location: Location, tables: Mapping[str, Any], order: dict[int, dict[str, int]]) -> tuple[int, ...]:
    """Sorts like the file: a table's keys are in the order of their first appearance; a missing key comes first.

    ``order`` keeps, by the identity of each table that was looked at, where its keys are.
    """
    position = []
    node: Any = tables
    for part in location:
        position.append(part if isinstance(part, int) else _index(node, part, order))
        node = _child(node, part)
    return tuple(position)


def _index(node: Any, key: str, order: dict[int, dict[str, int]]) -> int:
    if not isinstance(node, Mapping):
        return -1
    if id(node) not in order:
        order[id(node)] = {known: at for at, known in enumerate(node)}
    return order[id(node)].get(key, -1)


def _child(node: Any, part: str | int) -> Any:
    if isinstance(node, Mapping):
        return node.get(part)
    if isinstance(node, Sequence) and not isinstance(node, str) and isinstance(part, int) and part < len(node):
        return node[part]
    return None


def _label(array: Location, element: Any, around: Any) -> str | None:
    """The readable name of an element of the array at ``array``; ``around`` is the table that has the array."""
    if not isinstance(element, Mapping):
        return None
    match array:
        case ("virtual_service",):
            return _service_label(element)
        case ("virtual_service", _, "real_server"):
            return _server_label(element, around)
    return None


def _service_label(service: Mapping[str, Any]) -> str | None:
    name, address = _word(service.get("name")), _word(service.get("address"))
    mark, port = _number(service.get("fwmark")), _number(service.get("port"))
    if name is not None:
        return name
    if mark is not None:
        return f"fwm/{mark}/{_word(service.get('family')) or 'inet'}"
    if address is not None and port is not None:
        return f"{_word(service.get('protocol')) or 'tcp'}/{_with_port(address, port)}"
    return None


def _server_label(server: Mapping[str, Any], service: Any) -> str | None:
    address, port = _word(server.get("address")), _number(server.get("port", service.get("port", 0)))
    return address if address is None or port is None else _with_port(address, port)


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value.isprintable() and value else None


def _number(value: object) -> int | None:
    """A number that can be written out: Python refuses that for those of some thousand digits, which TOML may have."""
    return value if isinstance(value, int) and abs(value) <= _LARGEST_SHOWN else None
