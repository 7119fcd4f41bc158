"""The example that every user starts from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
from pydantic import BaseModel

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import load_config
from lvs_agent.config.jsonschema import json_schema
from lvs_agent.config.schema.keys import Mark, known_keys, marked, tables_below
from lvs_agent.config.schema.tables import CheckTables, File

_PATH = Path(__file__).parents[2] / "config.toml.example"


def test_example_loads_without_a_warning() -> None:
    """It is a configuration that could run."""
    config = load_config(_PATH)

    assert config.warnings == ()
    assert {"web", "web-tls", "api", "dns", "marked", "kinds"} <= {service.name for service in config.intent.services}


def test_example_uses_every_checker() -> None:
    """Each kind of check is shown at work."""
    assert {spec.kind for spec in load_config(_PATH).intent.checks.values()} == set(checkers())


def test_example_obeys_the_schema() -> None:
    """An editor that has the schema finds nothing wrong with it."""
    validator = jsonschema.Draft202012Validator(json_schema())

    assert list(validator.iter_errors(tomli.loads(_PATH.read_text()))) == []


def _check_keys() -> Iterator[str]:
    for name, definition in json_schema()["$defs"].items():
        if name.startswith("check_"):
            yield from definition["properties"]


@pytest.mark.parametrize("key", sorted(set(_check_keys())))
def test_example_shows_every_key_of_checks(key: str) -> None:
    """No key has to be found out elsewhere; an alternative may stand behind a "#"."""
    text = _PATH.read_text()

    assert re.search(rf"(^|[\s{{,.#]){re.escape(key)}\s*=", text, re.MULTILINE) or re.search(
        rf"^\[+([a-z_]+\.)*{re.escape(key)}\]+", text, re.MULTILINE
    )


@pytest.mark.parametrize("model", [model for _, model in tables_below(File)], ids=lambda model: model.__name__)
def test_example_shows_every_key_of_tables(model: type[BaseModel]) -> None:
    """In a table that may have it: a key that is inherited is shown on one of its levels."""
    missing = [
        f"config.toml.example does not show {key} in any of {sorted(places)}"
        for key in known_keys(model)
        if not _shown() & (places := {f"{path}.{key}" for path in _tables_with(key, model)})
    ]

    assert missing == []


def _tables_with(key: str, model: type[BaseModel]) -> list[str]:
    """Where a table of ``model`` stands, and those that may have ``key`` for it to inherit."""
    return [
        path
        for path, other in tables_below(File)
        if other is model
        or key in marked(model, Mark.INHERITED) & marked(other, Mark.INHERITED)
        or (key in CheckTables.model_fields and issubclass(other, CheckTables))
    ]


@cache
def _shown() -> frozenset[str]:
    """The places of all keys in the example, as ``"virtual_service.real_server.weight"``, alternatives included."""
    header, shown = "", set(_places(tomli.loads(_PATH.read_text())))
    for line in _PATH.read_text().splitlines():
        if found := re.match(r"\[+([a-z_.]+)\]+", line):
            header = found[1]
        elif re.match(r"# [a-z_.]+ = ", line):
            shown |= {f"{header}.{place}" for place in _places(tomli.loads(line.removeprefix("# ")))}
    return frozenset(shown)


def _places(node: Any, around: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield f"{around}{key}"
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _places(inner, f"{around}{key}.")


def _alternatives() -> list[str]:
    lines = [line.removeprefix("# ").strip() for line in _PATH.read_text().splitlines() if line.startswith("# ")]
    return [line for line in lines if re.match(r"[a-z_]+ = ", line)]


@pytest.mark.parametrize("line", _alternatives())
def test_commented_alternatives_are_toml(line: str) -> None:
    """Taking the "#" away gives a line that can be read."""
    assert tomli.loads(line)
