"""The example that every user starts from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import load_config
from lvs_agent.config.jsonschema import json_schema

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


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for value in node.values():
            yield from _keys(value)
    if isinstance(node, list):
        for value in node:
            yield from _keys(value)


@pytest.mark.parametrize("key", sorted(set(_keys(json_schema()))))
def test_example_shows_every_key(key: str) -> None:
    """No key has to be found out elsewhere; an alternative may stand behind a "#"."""
    text = _PATH.read_text()

    assert re.search(rf"(^|[\s{{,.#]){re.escape(key)}\s*=", text, re.MULTILINE) or re.search(
        rf"^\[+([a-z_]+\.)*{re.escape(key)}\]+", text, re.MULTILINE
    )


def _alternatives() -> list[str]:
    lines = [line.removeprefix("# ").strip() for line in _PATH.read_text().splitlines() if line.startswith("# ")]
    return [line for line in lines if re.match(r"[a-z_]+ = ", line)]


@pytest.mark.parametrize("line", _alternatives())
def test_commented_alternatives_are_toml(line: str) -> None:
    """Taking the "#" away gives a line that can be read."""
    assert tomli.loads(line)
