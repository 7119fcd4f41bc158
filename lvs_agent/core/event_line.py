"""Events as lines of a file: each line is one JSON object that contains the version of its schema."""

from __future__ import annotations

import json
from math import isfinite
from types import MappingProxyType
from typing import Any

from lvs_agent.core.instant import LAST_INSTANT
from lvs_agent.model.event import Event, EventKind, Fact

SCHEMA = 1
"""Version of the lines.  It grows when the meaning of a key changes, or a key is removed."""
RENAMED = MappingProxyType(
    {
        "vanished": EventKind.PREVIOUS_RUN_CRASHED,
        "check_possible_again": EventKind.CHECK_RECOVERED,
        "maintenance_begun": EventKind.MAINTENANCE_STARTED,
        "sorry_server_begun": EventKind.SORRY_SERVER_ACTIVATED,
        "sorry_server_ended": EventKind.SORRY_SERVER_DEACTIVATED,
    }
)
"""Kinds by the names that earlier versions wrote."""
MAX_LINE = 65_536
"""Bytes; a longer line was not written by this program."""
_MAX_NUMBER = 2**63 - 1


def event_line(event: Event) -> bytes:
    """``event`` as one line with its line end.  Only ASCII, so that no text from a server can break the line."""
    entry: dict[str, object] = {"schema": SCHEMA, "number": event.number, "at": event.at, "kind": event.kind.value}
    if event.virtual_service:
        entry["virtual_service"] = event.virtual_service
    if event.real_server:
        entry["real_server"] = event.real_server
    if event.facts:
        entry["facts"] = dict(event.facts)
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def parse_event_line(line: bytes) -> Event:
    """The event of a line, with or without its line end.  Raises only ValueError, for every other input."""
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of {len(line)} bytes")
    try:
        entry = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(entry, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the text is what is wrong
    if entry.get("schema") != SCHEMA:
        raise ValueError("the schema is not known")
    return Event(
        number=_number(entry.get("number")),
        at=_instant(entry.get("at")),
        kind=_kind(entry.get("kind")),
        virtual_service=_text(entry.get("virtual_service", "")),
        real_server=_text(entry.get("real_server", "")),
        facts=_facts(entry.get("facts", {})),
    )


def _number(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _MAX_NUMBER:
        raise ValueError("the number must be an integer")
    return value


def _kind(value: Any) -> EventKind:
    return RENAMED[value] if isinstance(value, str) and value in RENAMED else EventKind(value)


def _instant(value: Any) -> float:
    if type(value) not in {int, float} or not 0 <= value <= LAST_INSTANT:
        raise ValueError("the time must be a number of seconds")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - the line is what is wrong
    return value


def _facts(value: Any) -> dict[str, Fact]:
    if not isinstance(value, dict) or not all(map(_is_fact, value.values())):
        raise ValueError("the facts must be texts and numbers")
    return value


def _is_fact(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))
