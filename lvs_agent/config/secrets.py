"""Secrets that are not written in the configuration itself: ``<key>_file``, ``<key>_env``, and the same in headers.

Everything here puts the secret's text in the place where the file could have had it, before the models are made.
No message ever has a secret in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from lvs_agent.config.findings import Location, Report
from lvs_agent.config.schema.secret_keys import secret_places
from lvs_agent.files import open_to_read

_LARGEST_FILE = 65_536
_PLACEHOLDER = "unreadable"


class _Unreadable(Exception):
    """A secret could not be had; the message is the sentence for the user."""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where secrets are read from: files (relative ones start at ``base``) and an environment."""

    base: Path
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def of_process(cls, base: Path) -> SecretSource:
        """Files, and this process's environment."""
        return cls(base, MappingProxyType(dict(os.environ)))

    def read(self, kind: str, where: object) -> str:
        """The secret in the file or variable ``where`` (``kind`` "file" or "env"); a file's last line break is cut."""
        if not isinstance(where, str) or not where:
            raise _Unreadable("must be a string in quotes")
        return self._file(where) if kind == "file" else self._variable(where)

    def _file(self, name: str) -> str:
        path = self.base / name
        try:
            with open_to_read(path) as file:
                content = file.read(_LARGEST_FILE + 1)
            if len(content) > _LARGEST_FILE:
                raise _Unreadable(f"{path} must not be larger than 64KiB")
            return content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise _Unreadable(f"{path} is not valid UTF-8") from None
        except OSError as error:
            raise _Unreadable(f"cannot read {path}: {error.strerror}") from None
        except ValueError:
            raise _Unreadable("is not a valid path") from None

    def _variable(self, name: str) -> str:
        value = self.environment.get(name)
        if value is None:
            raise _Unreadable(f"the environment has no variable '{name}'")
        return value


def reveal(
    table: Mapping[str, Any],
    *,
    model: type[BaseModel],
    at: Mapping[str, Location],
    source: SecretSource,
    report: Report,
) -> dict[str, Any]:
    """``table`` with every secret read in.  ``at`` is the place of each of its keys in the file."""
    places = secret_places(model)
    revealed: dict[str, Any] = {}
    for key, value in table.items():
        owner = places.owner(key)
        if owner != key:
            _take(revealed, key=owner, written=key, value=value, at=at[key], source=source, report=report)
        elif key in places.tables and isinstance(value, Mapping):
            revealed[key] = _secret_values(value, at=at[key], source=source, report=report)
        elif key in places.inner and isinstance(value, Mapping):
            below = {inner: (*at[key], inner) for inner in value}
            revealed[key] = reveal(value, model=places.inner[key], at=below, source=source, report=report)
        elif key in revealed:
            report.error(at[key], f"only one of {key} and its _file and _env forms can be given")
        else:
            revealed[key] = value
    return revealed


def without(text: str, secrets: Mapping[str, Any], *, model: type[BaseModel]) -> str:
    """``text`` with every secret of the revealed table ``secrets`` taken out."""
    for secret in _texts(secrets, model):
        text = text.replace(secret, "...") if secret else text
    return text


def _take(
    revealed: dict[str, Any],
    *,
    key: str,
    written: str,
    value: object,
    at: Location,
    source: SecretSource,
    report: Report,
) -> None:
    if key in revealed:
        report.error(at, f"only one of {key} and its _file and _env forms can be given")
        return
    try:
        revealed[key] = source.read(written.rpartition("_")[2], value)
    except _Unreadable as error:
        report.error(at, str(error))
        revealed[key] = _PLACEHOLDER


def _secret_values(table: Mapping[str, Any], *, at: Location, source: SecretSource, report: Report) -> dict[str, Any]:
    return {
        name: _secret_value(value, at=(*at, name), source=source, report=report)
        if isinstance(value, Mapping)
        else value
        for name, value in table.items()
    }


def _secret_value(value: Mapping[str, Any], *, at: Location, source: SecretSource, report: Report) -> str:
    if len(value) != 1 or not value.keys() <= {"file", "env"}:
        report.error(at, 'must be a string in quotes, { file = "PATH" } or { env = "NAME" }')
        return _PLACEHOLDER
    kind, where = next(iter(value.items()))
    try:
        return source.read(kind, where)
    except _Unreadable as error:
        report.error((*at, kind), str(error))
        return _PLACEHOLDER


def _texts(table: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    places = secret_places(model)
    found = [table[key] for key in places.keys if isinstance(table.get(key), str)]
    for key in places.tables:
        values = table.get(key)
        found += [text for text in values.values() if isinstance(text, str)] if isinstance(values, Mapping) else []
    for key, inner in places.inner.items():
        value = table.get(key)
        found += _texts(value, inner) if isinstance(value, Mapping) else []
    return found
