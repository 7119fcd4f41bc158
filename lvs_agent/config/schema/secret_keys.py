"""Where the models of checks have secrets, and the keys that may be written instead of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import get_args

from pydantic import BaseModel, SecretStr

from lvs_agent.config.schema.keys import models_in

_SUFFIXES = ("_file", "_env")


@dataclass(frozen=True, slots=True)
class SecretPlaces:
    """Where a model's secrets are: in keys, in the values of tables such as headers, and in models further in."""

    keys: frozenset[str]
    tables: frozenset[str]
    inner: Mapping[str, type[BaseModel]]

    def owner(self, key: str) -> str:
        """The field that ``key`` writes: ``"password"`` for ``"password_file"``, and every other key itself."""
        for suffix in _SUFFIXES:
            if key.removesuffix(suffix) in self.keys:
                return key.removesuffix(suffix)
        return key


@cache
def secret_places(model: type[BaseModel]) -> SecretPlaces:
    """The places of secrets in ``model``."""
    annotations = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    inner = {key: found for key, annotation in annotations.items() for found in models_in(annotation)}
    secret = {key for key, annotation in annotations.items() if key not in inner and _has_secret(annotation)}
    tables = {key for key in secret if _is_table(annotations[key])}
    return SecretPlaces(frozenset(secret - tables), frozenset(tables), MappingProxyType(inner))


def variants(key: str) -> tuple[str, ...]:
    """The keys that may be written instead of the secret key ``key``."""
    return tuple(key + suffix for suffix in _SUFFIXES)


def _has_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_has_secret, get_args(annotation)))


def _is_table(annotation: object) -> bool:
    origin = getattr(annotation, "__origin__", None)
    found = isinstance(origin, type) and issubclass(origin, Mapping)
    return found or any(map(_is_table, get_args(annotation)))
