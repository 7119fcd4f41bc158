"""Families written as text: Prometheus' text format 0.0.4, and OpenMetrics 1.0.

Written here, because a scrape runs beside the checks in one interpreter: prometheus_client takes dozens of times as
long, mostly because it puts together, checks and escapes the labels of each series with each scrape.  Here they are
kept, and a family is a few calls over whole columns.  A test holds the two to the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, isfinite, isnan
from operator import add
from typing import cast

from lvs_agent.core.snapshot import Histogram
from lvs_agent.metrics.metric import Column, Kind, Labels, Metric, Summary

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(slots=True)
class _Blocks:
    """What stands between name and value of each series, for one list of labels.  ``unique``: none comes twice."""

    labels: Sequence[Labels]
    by_labels: dict[Labels, str]
    texts: list[str]
    unique: bool


class Writer:
    """Writes families, and keeps the labels of the last ones.  For one thread at a time."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, ...], _Blocks] = {}
        self._heads: dict[str, dict[tuple[Labels, tuple[float, ...]], list[str]]] = {}

    def family(self, metric: Metric, column: Column, *, openmetrics: bool) -> str:
        """One family with its head.  No series comes twice: of equal labels, the last value counts."""
        head = _head(metric, openmetrics=openmetrics)
        blocks = self._of(metric.labels, column.labels)
        labels, texts, values = column.labels, blocks.texts, column.values
        if not blocks.unique:
            places = list({text: place for place, text in enumerate(texts)}.values())
            labels, texts = [labels[place] for place in places], [texts[place] for place in places]
            values = [values[place] for place in places]
        match metric.kind:
            case Kind.HISTOGRAM:
                return head + self._histograms(metric, labels, cast("Sequence[Histogram | None]", values))
            case Kind.SUMMARY:
                return head + _summaries(metric.name, texts, cast("Sequence[Summary | None]", values))
            case _:
                return head + _plain(metric.name, texts, cast("Sequence[float | None]", values))

    def _of(self, names: tuple[str, ...], labels: Sequence[Labels]) -> _Blocks:
        last = self._blocks.get(names)
        if last is not None and (last.labels is labels or last.labels == labels):
            return last
        before = last.by_labels if last else {}
        by_labels = {values: before.get(values) or _block(names, values) for values in labels}
        texts = [by_labels[values] for values in labels]
        found = _Blocks(labels, by_labels, texts, unique=len(set(texts)) == len(texts))
        self._blocks[names] = found
        return found

    def _histograms(self, metric: Metric, labels: Sequence[Labels], values: Sequence[Histogram | None]) -> str:
        before = self._heads.get(metric.name, {})
        heads: dict[tuple[Labels, tuple[float, ...]], list[str]] = {}
        parts: list[str] = []
        for of_one, value in zip(labels, values, strict=True):
            if value is not None:
                key = (of_one, value.bounds)
                heads[key] = before.get(key) or _heads_of_histogram(metric, *key)
                counts = list(accumulate(value.counts))
                parts += map(add, heads[key], map(number, (*counts, counts[-1], value.total)))
        self._heads[metric.name] = heads
        return "".join(f"{part}\n" for part in parts)


def _heads_of_histogram(metric: Metric, labels: Labels, bounds: tuple[float, ...]) -> list[str]:
    """What stands before the number in each line of a histogram."""
    names, block = (*metric.labels, "le"), _block(metric.labels, labels)
    buckets = [f"{metric.name}_bucket{_block(names, (*labels, number(float(edge))))}" for edge in (*bounds, inf)]
    return [*buckets, f"{metric.name}_count{block}", f"{metric.name}_sum{block}"]


def _head(metric: Metric, *, openmetrics: bool) -> str:
    """OpenMetrics names the family without the suffix of its samples; the text format knows no info metrics."""
    if openmetrics:
        name, kind = metric.family, metric.kind
    else:
        name, kind = metric.name, Kind.GAUGE if metric.kind is Kind.INFO else metric.kind
    return f"# HELP {name} {metric.help}\n# TYPE {name} {kind.value}\n"


def _block(names: tuple[str, ...], values: Labels) -> str:
    """Labels as they are written, with a space behind them; what UTF-8 does not have becomes a question mark."""
    if not names:
        return " "
    pairs = sorted(zip(names, values, strict=True))
    text = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)
    return "{" + text.encode(errors="replace").decode() + "} "


def _plain(name: str, blocks: Sequence[str], values: Sequence[float | None]) -> str:
    lines = _ordinary_lines if _are_ordinary(values) else _other_lines
    between = f"\n{name}"
    pieces = [
        between.join(lines(blocks[start : start + _PIECE], values[start : start + _PIECE]))
        for start in range(0, len(values), _PIECE)
    ]
    written = [piece for piece in pieces if piece]
    return f"{name}{between.join(written)}\n" if written else ""


_PIECE = 1_000
"""Lines that are made in one call, for which every other thread has to wait: about a millisecond."""


def _ordinary_lines(blocks: Sequence[str], values: Sequence[float | None]) -> Iterable[str]:
    return list(map(add, blocks, map(repr, values)))


def _other_lines(blocks: Sequence[str], values: Sequence[float | None]) -> Iterable[str]:
    return [block + number(value) for block, value in zip(blocks, values, strict=True) if value is not None]


def _are_ordinary(values: Sequence[float | None]) -> bool:
    """Whether ``repr`` writes all of them as both formats need them.  One sum tells faster than a look at each."""
    try:
        return isfinite(sum(cast("Sequence[float]", values)))
    except (TypeError, OverflowError):  # there is a None; numbers too large to tell
        return False


def _summaries(name: str, blocks: Iterable[str], values: Sequence[Summary | None]) -> str:
    count, total = f"{name}_count", f"{name}_sum"
    return "".join(
        f"{count}{block}{value.number}\n{total}{block}{number(value.total)}\n"
        for block, value in zip(blocks, values, strict=True)
        if value is not None
    )


def number(value: float) -> str:
    """A number as both formats write it."""
    if isinstance(value, int) or isfinite(value):
        return repr(value)
    return "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
