"""Every small mistake that could be made in a rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.alerts.promql import Kind, Token, tokens
from tests.alerts.rules import Rule, seconds

FLIPPED = {"==": "!=", "!=": "==", ">": "<", "<": ">", ">=": "<=", "<=": ">="}
STRICTNESS = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}
SET_OPERATORS = {"and": "unless", "unless": "and", "or": "and"}
WAITS = ("for", "keep_firing_for")


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """A rule with one thing changed; ``change`` says which and where."""

    change: str
    rule: Rule


def mutants_of(rule: Rule) -> Iterator[Mutant]:
    """All mutants of ``rule``.  A change that leaves the meaning of a number as it was is none."""
    for wait in WAITS:
        if wait in rule.source:
            for longer in _scaled(rule.source[wait]):
                yield Mutant(f"{wait} {longer}", Rule(rule.group, {**rule.source, wait: longer}))
    count: dict[str, int] = {}
    for token in tokens(rule.expr):
        for text in dict.fromkeys(_changed(token)):
            name = f"{token.text} -> {text}"
            count[name] = count.get(name, 0) + 1
            place = f" ({count[name]})" if count[name] > 1 else ""
            end = token.start + len(token.text)
            expr = f"{rule.expr[: token.start]}{text}{rule.expr[end:]}"
            yield Mutant(f"{name}{place}", Rule(rule.group, {**rule.source, "expr": expr}))


def _changed(token: Token) -> Iterator[str]:
    """What may replace ``token``."""
    match token.kind:
        case Kind.NUMBER:
            number = float(token.text)
            others = (number * 2, number / 2, number + 1, number - 1)
            yield from (f"{other:.10g}" for other in others if other != number)
        case Kind.COMPARISON:
            yield FLIPPED[token.text]
            if token.text in STRICTNESS:
                yield STRICTNESS[token.text]
        case Kind.NAME if token.text in SET_OPERATORS:
            yield SET_OPERATORS[token.text]
        case Kind.RANGE:
            yield from (f"[{other}]" for other in _scaled(token.text.strip("[]")))


def _scaled(duration: str) -> Iterator[str]:
    """Twice as long and half as long."""
    milliseconds = round(seconds(duration) * 1_000)
    yield from (re.sub(r"(?<=\d)000ms$", "s", f"{other}ms") for other in (milliseconds * 2, milliseconds // 2))
