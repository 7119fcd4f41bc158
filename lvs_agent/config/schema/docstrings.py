"""The docstrings below the fields of a model: they become documentation and the descriptions in the JSON Schema."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from textwrap import dedent
from types import MappingProxyType

from pydantic import BaseModel


@cache
def field_texts(model: type[BaseModel]) -> Mapping[str, str]:
    """The text of each field of ``model`` and its bases that has one, read from their source."""
    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            texts.update(_texts(ast.parse(dedent(inspect.getsource(owner)))))
    return MappingProxyType(texts)


def _texts(source: ast.Module) -> Iterator[tuple[str, str]]:
    """Name and text of every annotated name with a text below it, in the one class of ``source``."""
    (definition,) = source.body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
