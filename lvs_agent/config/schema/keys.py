"""What the models declare about their keys: their names, defaults, marks and inheritance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from lvs_agent.settings.scalars import Duration, OwnFile, Size, with_unit
from lvs_agent.settings.strict import Strict

M = TypeVar("M", bound=Strict)


class Mark(Enum):
    """What a field of a model declares about its key besides its type: ``Annotated[int, Mark.INHERITED]``."""

    INHERITED = "inherited"
    """A table that does not set the key inherits it from the table around it, if the key is allowed there."""

    AT_START = "at start"
    """A new value takes effect only at the next start."""

    SHARED = "shared"
    """Directors of the same services must have the same value."""

    DECIDES = "decides"
    """Other keys of its table are validated by it: if it cannot be used, they are not validated."""


def known_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that are allowed in a table of this model, in the order of declaration."""
    return tuple(info.alias or name for name, info in model.model_fields.items())


@cache
def marked(model: type[BaseModel], mark: Mark) -> frozenset[str]:
    """The keys of ``model`` with ``mark``."""
    return frozenset(name for name, info in model.model_fields.items() if mark in info.metadata)


@cache
def paths_in(model: type[BaseModel]) -> frozenset[str]:
    """The keys of ``model`` that name a file or directory of this host."""
    return frozenset(name for name, info in model.model_fields.items() if is_of_type(info, OwnFile))


def is_of_type(info: FieldInfo, kind: Any) -> bool:
    """Whether a field's values are read as ``kind``, one of the annotated types of single values."""
    readers = set(_readers(kind))
    return bool(readers) and readers <= {*_readers(info.annotation), *_functions(info.metadata)}


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model inside a field's annotation: ``Inner`` of ``Inner | None`` or of ``tuple[Inner, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def tables_below(model: type[BaseModel], *, at: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table inside ``model`` with its place, as ``("virtual_service.real_server", RealServerTable)``."""
    for name, info in model.model_fields.items():
        for inner in models_in(info.annotation):
            yield f"{at}{name}", inner
            yield from tables_below(inner, at=f"{at}{name}.")


def inherit(inner: M, outer: Strict) -> M:
    """``inner`` with the keys that it does not set itself and inherits from ``outer``, the table around it."""
    both = marked(type(inner), Mark.INHERITED) & marked(type(outer), Mark.INHERITED)
    taken = (both & outer.model_fields_set) - inner.model_fields_set
    return inner.model_copy(update={key: getattr(outer, key) for key in taken}) if taken else inner


@cache
def defaults_as_written(model: type[BaseModel]) -> Mapping[str, Any]:
    """The default of each key of ``model`` as a value of TOML, without those whose default is nothing or a table."""
    values = {info.alias or name: _default(info) for name, info in model.model_fields.items()}
    return MappingProxyType({key: value for key, value in values.items() if value is not None})


def _default(info: FieldInfo) -> Any:
    """The default of a field as a text, number, truth value or array of them; None where it is nothing or a table."""
    if info.is_required():
        return None
    default = info.get_default(call_default_factory=True, validated_data={})
    if is_of_type(info, Duration) or is_of_type(info, Size):
        return None if default is None else with_unit(default, size=isinstance(default, int))
    return _as_written(default)


def _as_written(value: object) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Enum():
            return value.value
        case list() | tuple() | frozenset():
            return [_as_written(each) for each in value]
        case BaseModel() | dict():
            return None
    return str(value)


def _readers(annotation: object) -> Iterator[object]:
    """The functions by which a value of an annotated type is read."""
    for argument in get_args(annotation):
        yield from _readers(argument)
    yield from _functions(getattr(annotation, "__metadata__", ()))


def _functions(metadata: Any) -> Iterator[object]:
    return (each.func for each in metadata if isinstance(each, AfterValidator | BeforeValidator))
