"""The JSON Schema that editors get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli

from lvs_agent.checks.kinds import checkers
from lvs_agent.config.jsonschema import json_schema
from tests.config.kinds import KINDS

_DATA = Path(__file__).parents[1] / "data/config"
_VALID = sorted((_DATA / "valid").glob("*.toml"))


def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


def test_schema_is_itself_valid() -> None:
    """It obeys the dialect that it names."""
    schema = json_schema()

    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in _VALID])
def test_valid_files_obey_the_schema(path: Path) -> None:
    """An editor has nothing against what the program takes."""
    assert list(_validator().iter_errors(tomli.loads(path.read_text()))) == []


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param({"agnet": {}}, id="unknown-table"),
        pytest.param({"agent": {"listn": "x"}}, id="unknown-key"),
        pytest.param({"defaults": {"weight": "1"}}, id="type"),
        pytest.param({"defaults": {"weight": 65_536}}, id="range"),
        pytest.param({"defaults": {"scheduler": "wrrr"}}, id="scheduler"),
        pytest.param({"defaults": {"forwarding": "local"}}, id="word"),
        pytest.param({"virtual_service": [{"scheduler_flags": ["sh"]}]}, id="flag"),
        pytest.param({"virtual_service": [{"real_server": [{}]}]}, id="required"),
        pytest.param({"defaults": {"check": {"type": "htpp"}}}, id="check-type"),
        pytest.param({"defaults": {"check": {"type": "tcp", "path": "/"}}}, id="key-of-another-check"),
        pytest.param({"defaults": {"check": {"interval": 2}}}, id="check-type-of-key"),
        pytest.param({"defaults": {"check": {"type": "none", "port": 2}}}, id="check-without-port"),
    ],
)
def test_schema_refuses_what_the_program_refuses(tables: dict[str, Any]) -> None:
    """Mistakes that a schema can see are seen in the editor."""
    assert list(_validator().iter_errors(tables))


def test_every_checker_is_offered() -> None:
    """A checker that is found is in the schema, with a description and no room for unknown keys."""
    definitions = json_schema()["$defs"]

    assert list(definitions["check"]["discriminator"]["mapping"]) == list(checkers())
    for kind in checkers():
        assert definitions[f"check_{kind}"]["properties"]["type"]["const"] == kind
        assert definitions[f"check_{kind}"]["additionalProperties"] is False
        assert definitions[f"check_{kind}"]["description"]


def test_every_form_of_a_secret_is_offered() -> None:
    """A secret may come from a file or the environment, in the editor too."""
    validator = jsonschema.Draft202012Validator(json_schema(KINDS))
    headers = {"A": "x", "B": {"file": "x"}, "C": {"env": "X"}}

    for key in ("password", "password_file", "password_env"):
        check = {"type": "login", key: "x", "headers": headers}
        assert list(validator.iter_errors({"defaults": {"check": check}})) == []
    assert list(validator.iter_errors({"defaults": {"check": {"type": "login", "headers": {"A": {"fil": "x"}}}}}))


def test_every_key_is_described() -> None:
    """An editor can explain every key of every table."""
    definitions = {"file": json_schema(), **json_schema()["$defs"]}

    bare = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value
    ]
    assert bare == []
