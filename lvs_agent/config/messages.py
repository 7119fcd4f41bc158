"""What pydantic found, said in plain sentences.

The values themselves are never repeated: any of them might be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lvs_agent.config.findings import Finding, Location
from lvs_agent.config.schema.keys import known_keys, models_in
from lvs_agent.config.suggest import must_be_one_of, unknown_key
from lvs_agent.settings.scalars import with_unit

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_WITH_UNIT = re.compile(r"[\d.]+\s*(ms|s|m|h|d|B|KiB|MiB)")

_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is required",
        "string_type": "must be a string in quotes",
        "string_sub_type": "must be a string in quotes",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "int_parsing_size": "is too large a number",
        "float_type": "must be a number",
        "finite_number": "must be a finite number",
        "bool_type": "must be true or false",
        "tuple_type": "must be an array: values between [ and ]",
        "list_type": "must be an array: values between [ and ]",
        "set_type": "must be an array: values between [ and ]",
        "frozen_set_type": "must be an array: values between [ and ]",
        "dict_type": "must be a table",
        "mapping_type": "must be a table",
        "model_type": "must be a table",
        "model_attributes_type": "must be a table",
        "string_pattern_mismatch": "does not have the required form",
        "union_tag_not_found": "must have a type",
    }
)


def findings(error: ValidationError, *, model: type[BaseModel], table: Any, at: Location) -> list[Finding]:
    """Everything that ``error`` says about ``table``, which is at ``at`` in the file and was read as ``model``.

    What a value that may take several forms has against each of them becomes one sentence.
    """
    by_place: dict[tuple[Location, bool], list[str]] = {}
    for detail in error.errors(include_url=False):
        inner = _real_location(detail, table)
        on_table = detail["type"] == "extra_forbidden"
        texts = by_place.setdefault((inner, on_table), [])
        text = _unknown(inner, model) if on_table else sentence(detail)
        if text not in texts:
            texts.append(text)
    return [Finding((*at, *inner), ", or ".join(texts), on_table) for (inner, on_table), texts in by_place.items()]


def sentence(detail: ErrorDetails) -> str:
    """One error as a sentence that goes on after the path of the value."""
    plain = _PLAIN.get(detail["type"])
    if plain is not None:
        return plain
    explain = _EXPLAINED.get(detail["type"])
    return explain(detail) if explain is not None else "has a value that cannot be used here"


def _real_location(detail: ErrorDetails, table: Any) -> Location:
    """The part of an error's location that exists in the file; pydantic puts names of its own in between."""
    location: list[str | int] = []
    node = table
    for part in detail["loc"]:
        there = part in node if isinstance(node, Mapping) else _is_index(part, node)
        if there:
            node = node[part]
            location.append(part)
    if detail["type"] == "missing":
        location.append(detail["loc"][-1])
    return tuple(location)


def _is_index(part: str | int, node: Any) -> bool:
    return isinstance(node, list) and isinstance(part, int) and part < len(node)


def _unknown(location: Location, model: type[BaseModel]) -> str:
    at: list[type[BaseModel]] = [model]
    for part in location[:-1]:
        if isinstance(part, str):
            fields = [each.model_fields[part].annotation for each in at if part in each.model_fields]
            at = [inner for annotation in fields for inner in models_in(annotation)]
    return unknown_key(str(location[-1]), known=[key for each in at for key in known_keys(each)])


def _context(detail: ErrorDetails, key: str) -> Any:
    return detail.get("ctx", {}).get(key)


def _choice(detail: ErrorDetails) -> str:
    words = _QUOTED.findall(str(_context(detail, "expected") or _context(detail, "expected_tags")))
    return must_be_one_of(words, given=detail["input"]) if words else "has a value that cannot be used here"


def _own(detail: ErrorDetails) -> str:
    return str(_context(detail, "error"))


def _bound(words: str, key: str) -> Callable[[ErrorDetails], str]:
    return lambda detail: f"must be {words} {_like(_context(detail, key), written=detail['input'])}"


def _like(bound: Any, *, written: object) -> str:
    """``bound`` with a unit of the kind that the value was written with."""
    match = _WITH_UNIT.fullmatch(written.strip()) if isinstance(written, str) else None
    return str(bound) if match is None else with_unit(bound, size=match[1].endswith("B"))


def _length(words: str, key: str) -> Callable[[ErrorDetails], str]:
    def explain(detail: ErrorDetails) -> str:
        number = _context(detail, key)
        things = "characters" if detail["type"].startswith("string") else "elements"
        if key == "min_length" and number == 1:
            return "must not be empty"
        return f"must have {words} {number} {things}"

    return explain


_EXPLAINED: Mapping[str, Callable[[ErrorDetails], str]] = MappingProxyType(
    {
        "enum": _choice,
        "literal_error": _choice,
        "union_tag_invalid": _choice,
        "value_error": _own,
        "assertion_error": _own,
        "greater_than": _bound("more than", "gt"),
        "greater_than_equal": _bound("at least", "ge"),
        "less_than": _bound("less than", "lt"),
        "less_than_equal": _bound("at most", "le"),
        "multiple_of": _bound("a multiple of", "multiple_of"),
        "string_too_short": _length("at least", "min_length"),
        "string_too_long": _length("at most", "max_length"),
        "too_short": _length("at least", "min_length"),
        "too_long": _length("at most", "max_length"),
    }
)
