"""The JSON Schema of the configuration file, for editors: made of the same models that read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from lvs_agent.checks.kinds import Checker, checkers
from lvs_agent.config.check_sets import Checkers
from lvs_agent.config.schema.check import CheckKeys
from lvs_agent.config.schema.docstrings import field_texts
from lvs_agent.config.schema.keys import tables_below
from lvs_agent.config.schema.secret_keys import secret_places, variants
from lvs_agent.config.schema.tables import CheckTables, File
from lvs_agent.config.schema.values import ListenAddress
from lvs_agent.settings.scalars import with_unit

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NUMBER_LIMITS = frozenset({"ge", "gt", "le", "lt"})
_REF_TEMPLATE = "#/$defs/{model}"
_HAVE_CHECKS = {model.__name__ for _, model in tables_below(File) if issubclass(model, CheckTables)}


class _ForToml(GenerateJsonSchema):
    """TOML has no null: what may be None may simply be left out.  Keys are described by the texts below the fields."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, text in field_texts(model).items():
            if name in made.get("properties", {}):
                made["properties"][name].setdefault("description", text)
        return made

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None or isinstance(schema["default"], BaseModel):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        return str(dft) if isinstance(dft, ListenAddress) else super().encode_default(dft)


def json_schema(kinds: Checkers | None = None) -> dict[str, Any]:
    """JSON Schema (2020-12) of the whole file, with the tables of ``kinds``: by default all checkers installed."""
    kinds = checkers() if kinds is None else kinds
    schema = _schema_of(File)
    definitions: dict[str, Any] = schema["$defs"]
    tables = {f"check_{kind}": _check(checker, definitions) for kind, checker in kinds.items()}
    definitions |= tables
    definitions["check"] = {
        "title": "check",
        "description": "A check of a real server.  Missing keys are inherited from the check in the table around it.",
        "type": "object",
        "discriminator": {
            "propertyName": "type",
            "mapping": {kind: f"#/$defs/check_{kind}" for kind in kinds},
        },
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in tables],
    }
    for name in _HAVE_CHECKS:
        properties = definitions[name]["properties"]
        properties["check"] = {"description": properties["check"]["description"], "$ref": "#/$defs/check"}
        properties["checks"]["additionalProperties"] = {"$ref": "#/$defs/check"}
    return {"$schema": _DIALECT, **_as_written(schema)}


def _as_written(node: Any) -> Any:
    """``node`` with the limits and defaults of durations and sizes as in the file: strings with a unit."""
    if isinstance(node, list):
        return [_as_written(each) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "string":
        node = {key: value for key, value in node.items() if key not in _NUMBER_LIMITS}
        if isinstance(node.get("default"), int | float):
            node["default"] = with_unit(node["default"], size=isinstance(node["default"], int))
    return {key: _as_written(value) for key, value in node.items()}


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(ref_template=_REF_TEMPLATE, schema_generator=_ForToml)


def _check(checker: Checker, definitions: dict[str, Any]) -> dict[str, Any]:
    """One kind of check.  Nothing is required: a table further out may have it."""
    own, shared = _schema_of(checker.settings), _schema_of(CheckKeys)
    for name, definition in [*own.pop("$defs", {}).items(), *shared.pop("$defs", {}).items()]:
        definitions.setdefault(name, definition)
    common = shared["properties"]
    if not checker.settings.uses_port:
        common.pop("port")
    common["type"] = {"const": checker.kind, "description": checker.summary}
    properties: dict[str, Any] = {**common, **own.get("properties", {})}
    _offer_secrets(checker.settings, properties)
    return {
        "title": f"{checker.kind} check",
        "description": checker.summary,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _offer_secrets(model: type[BaseModel], properties: dict[str, Any]) -> None:
    places = secret_places(model)
    for key in sorted(places.keys):
        for form in variants(key):
            properties[form] = {"type": "string", "description": f"Where to read {key} from."}
    for key in sorted(places.tables):
        value = properties[key]["additionalProperties"]
        properties[key]["additionalProperties"] = {"anyOf": [value, *_elsewhere()]}


def _elsewhere() -> Iterator[dict[str, Any]]:
    for kind in ("file", "env"):
        yield {
            "type": "object",
            "properties": {kind: {"type": "string"}},
            "required": [kind],
            "additionalProperties": False,
        }
