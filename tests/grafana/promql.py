"""As much of PromQL as the rules for dashboards need: what an expression selects, and inside of which functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

AGGREGATIONS = frozenset({"avg", "count", "count_values", "group", "max", "min", "quantile", "sum", "topk", "bottomk"})
_GROUPINGS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "bool", "offset"})
_TOKEN = re.compile(
    r"""(?P<text>"[^"]*")|(?P<window>\[[^]]*])|(?P<name>[a-zA-Z_:][\w:]*)|(?P<number>[\d.]+)|(?P<sign>[()])|.""",
    re.DOTALL,
)
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*,?')


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A metric as selected: its matchers as operator and value, its window (or ""), the functions around it."""

    metric: str
    matchers: Mapping[str, str] = field(default_factory=dict)
    window: str = ""
    inside: tuple[str, ...] = ()


def selectors(expr: str) -> Iterator[Selector]:
    """Everything that ``expr`` selects, from left to right."""
    functions: list[str] = []
    pending, position = "", 0
    while match := _TOKEN.match(expr, position):
        position = match.end()
        if (name := match["name"]) is None:
            if match["sign"] == "(":
                functions.append(pending)
                pending = ""
            elif match["sign"] == ")":
                functions.pop()
        elif name in _GROUPINGS:
            position = _after_labels(expr, position)
        elif name not in _OPERATORS:
            rest = expr[position:].lstrip()
            if rest.startswith("(") or re.match(r"(by|without)\b", rest):
                pending = name
            else:
                found, position = _selector(name, expr, position, tuple(functions))
                yield found


def _after_labels(expr: str, position: int) -> int:
    match = re.compile(r"\s*\([^)]*\)").match(expr, position)
    return match.end() if match else position


def _selector(name: str, expr: str, position: int, inside: tuple[str, ...]) -> tuple[Selector, int]:
    braces = re.compile(r"\s*\{([^}]*)}").match(expr, position)
    position = braces.end() if braces else position
    window = re.compile(r"\s*\[([^]]*)]").match(expr, position)
    matchers = {label: operator + value for label, operator, value in _MATCHER.findall(braces[1] if braces else "")}
    found = Selector(metric=name, matchers=matchers, window=window[1] if window else "", inside=inside)
    return found, window.end() if window else position
