"""What a single value of a configuration may be: durations, sizes, files, secrets, lines of text, expressions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB)")
_BYTES = {"MiB": 1_048_576, "KiB": 1_024, "B": 1}


def parse_duration(value: object) -> float:
    """Seconds of ``"500ms"``, ``"2s"``, ``"1.5m"``, ``"1h"`` or ``"1d"``.  Raises ValueError for everything else."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a duration with its unit, like "500ms", "2s" or "1m"')
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(value: object) -> int:
    """Bytes of ``"512B"``, ``"64KiB"`` or ``"1MiB"``.  Raises ValueError for everything else."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a size with its unit, like "64KiB" or "1MiB"')
    return int(match[1]) * _BYTES[match[2]]


def with_unit(number: float, *, size: bool) -> str:
    """``number`` seconds, or bytes where it is a ``size``, in the largest unit that needs no fraction."""
    for unit, scale in (_BYTES if size else _SECONDS).items():
        amount = round(number / scale, 6)
        if amount >= 1 and amount == int(amount):
            return f"{int(amount)}{unit}"
    return str(number)


def _from_base(value: str, info: ValidationInfo) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    base = info.context.get(BASE) if info.context else None
    return str(base / value) if isinstance(base, Path) else value


Duration = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=str)]
"""Seconds; written with a unit."""

Size = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=str)]
"""Bytes; written with a unit."""

BASE = "base"
"""Key of the validation context under which the directory of the configuration file is."""

OwnFile = Annotated[str, Field(min_length=1), AfterValidator(_from_base)]
"""Path of a file of this host; a relative one starts at the configuration file's directory."""

Secret = SecretStr
"""A text that is never printed; a probe reads it with ``get_secret_value()``.

A field ``password: Secret | None`` may also be written ``password_file = "PATH"`` or ``password_env = "NAME"``, and a
value of a field ``headers: dict[str, Secret]`` also ``{ file = "PATH" }`` or ``{ env = "NAME" }``.  The configuration
reads them before the model is made.
"""


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line without control characters")
    return value


def _secret_line(value: Secret) -> Secret:
    text = value.get_secret_value()
    if not text or not text.isprintable():
        raise ValueError("must be one line without control characters")
    return value


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as problem:
        raise ValueError(f"not a regular expression: {problem}") from None
    return value


Line = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_line)]
"""A text that is sent as a part of a line: nothing in it can end the line and start another command."""

SecretLine = Annotated[Secret, AfterValidator(_secret_line)]
"""The same, never printed."""

Regex = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_regex)]
"""A regular expression of Python's."""
