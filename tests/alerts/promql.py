"""PromQL cut into the pieces that tests look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from typing import NamedTuple


class Kind(Enum):
    """What a piece of an expression is."""

    SELECTOR = "selector"
    """``{...}``: comparisons and numbers in it are those of labels."""
    RANGE = "range"
    """``[5m]``."""
    TEXT = "text"
    NUMBER = "number"
    COMPARISON = "comparison"
    NAME = "name"
    """A metric, a function, a keyword or a label."""
    OTHER = "other"


class Token(NamedTuple):
    """A piece of an expression, and where it begins."""

    kind: Kind
    text: str
    start: int


_TOKEN = re.compile(
    r"""
    (?P<selector>\{(?:[^{}"]|"(?:\\.|[^"\\])*")*\})
    | (?P<range>\[[^\]]*\])
    | (?P<text>"(?:\\.|[^"\\])*")
    | (?P<name>[a-zA-Z_:][\w:]*)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<comparison>==|!=|>=|<=|>|<)
    | (?P<other>\s+|.)
    """,
    re.VERBOSE,
)


def tokens(expr: str) -> Iterator[Token]:
    """The pieces of ``expr``; together they are all of it."""
    for found in _TOKEN.finditer(expr):
        yield Token(Kind(found.lastgroup), found[0], found.start())


def selected(expr: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each metric with a selector behind it, and the labels that the selector asks for."""
    pieces = list(tokens(expr))
    for name, selector in pairwise(pieces):
        if name.kind is Kind.NAME and selector.kind is Kind.SELECTOR:
            yield name.text, dict(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"', selector.text))
