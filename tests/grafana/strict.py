"""Grafana's schema of dashboards, as strictly as the foundation SDK for Grafana 11.6 has it in its types.

Reading JSON into these types drops what they do not know and checks no value; here both are faults.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, Dashboard, DynamicConfigValue, FieldConfig
from grafana_foundation_sdk.models.table import FieldConfig as TableFieldConfig

ANNOTATION_KEYS = frozenset({"titleFormat", "textFormat", "tagKeys", "useValueForTime", "step"})
"""Where Grafana's data source for Prometheus looks for what only its annotations have; the types do not tell of it."""


def faults(dashboard: dict[str, Any]) -> Iterator[str]:
    """Every key that the types do not know, and every value of another type."""
    register_default_plugins()
    yield from _of_model(Dashboard, dashboard, "dashboard")


def _of_model(model: Any, data: Any, where: str) -> Iterator[str]:
    if not isinstance(data, dict):
        yield f"{where}: {_short(data)} is not of type {model.__name__}"
        return
    built = model.from_json(data)
    written = built.to_json()
    unknown = data.keys() - written.keys() - (ANNOTATION_KEYS if model is AnnotationQuery else frozenset())
    yield from (f"{where}: unknown key {key!r}" for key in sorted(unknown))
    kinds = typing.get_type_hints(type(built))
    # a value of the written form is the attribute itself, so that it says which attribute a key stands for
    for key in data.keys() & written.keys():
        names = [name for name, value in vars(built).items() if value is written[key] and _same_name(name, key)]
        if not names:
            yield f"{where}: no attribute for {key!r}"
        else:
            yield from _of_value(kinds.get(names[0], Any), data[key], vars(built)[names[0]], f"{where}.{key}")
    if model is DynamicConfigValue:
        yield from _of_override(data, where)


def _same_name(attribute: str, key: str) -> bool:
    return attribute.replace("_", "").removesuffix("val") == key.replace("_", "").lower().removesuffix("val")


def _of_override(data: dict[str, Any], where: str) -> Iterator[str]:
    """The value of an override has the type of the field's property that it replaces."""
    name = str(data["id"])
    if name == "links":  # the types take the links of dashboards for those of data
        if any(link.keys() != {"title", "url", "targetBlank"} for link in data["value"]):
            yield f"{where}: not a link to data"
    elif name.startswith("custom."):
        yield from _of_model(TableFieldConfig, {name.removeprefix("custom."): data["value"]}, where)
    else:
        yield from _of_model(FieldConfig, {name: data["value"]}, where)


def _of_value(kind: Any, data: Any, built: Any, where: str) -> Iterator[str]:
    origin = get_origin(kind)
    if kind in (Any, object) or origin is typing.ClassVar:
        if hasattr(type(built), "from_json"):  # options of panels: the type was found by the panel's kind
            yield from _of_model(type(built), data, where)
    elif origin in (Union, types.UnionType):
        kinds = [one for one in get_args(kind) if _may_be(one, data, built)]
        tried = [list(_of_value(one, data, built, where)) for one in kinds]
        if all(tried):
            yield from min(tried, key=len, default=[f"{where}: {_short(data)} is not of type {kind}"])
    elif origin in (list, dict):
        yield from _of_items(kind, data, built, where)
    elif origin is Literal:
        if data not in get_args(kind):
            yield f"{where}: {_short(data)} is not one of {get_args(kind)}"
    else:
        yield from _of_plain(kind, data, built, where)


def _of_items(kind: Any, data: Any, built: Any, where: str) -> Iterator[str]:
    if not isinstance(data, get_origin(kind)):
        yield f"{where}: {_short(data)} is not of type {get_origin(kind).__name__}"
        return
    keys = list(data) if isinstance(data, dict) else range(len(data))
    for key in keys:
        yield from _of_value(get_args(kind)[-1], data[key], built[key], f"{where}[{key}]")


def _may_be(kind: Any, data: Any, built: Any) -> bool:
    """Whether ``kind`` of several is the one to judge by: what reading has made of it, or any for plain values."""
    if kind is types.NoneType:
        return data is None
    return kind in (type(built), object) if hasattr(type(built), "from_json") else data is not None


def _short(data: Any) -> str:
    return repr(data)[:60]


def _of_plain(kind: Any, data: Any, built: Any, where: str) -> Iterator[str]:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        if isinstance(data, bool) or data not in [member.value for member in kind]:
            yield f"{where}: {_short(data)} is not of type {kind.__name__}"
    elif hasattr(type(built), "from_json"):
        yield from _of_model(type(built), data, where)
    elif hasattr(kind, "from_json"):
        yield from _of_model(kind, data, where)
    elif kind is float:
        if not isinstance(data, int | float) or isinstance(data, bool):
            yield f"{where}: {_short(data)} is not a number"
    elif not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        yield f"{where}: {_short(data)} is not of type {kind.__name__}"
