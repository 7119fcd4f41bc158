"""Which metrics a scrape shows: what the configuration leaves of the table, and what of it a client asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from lvs_agent.config import MetricsSettings, ServerDetail
from lvs_agent.config.suggest import nearest
from lvs_agent.metrics.metric import SUFFIXES, Kind, Metric, Scope
from lvs_agent.metrics.reading import Source
from lvs_agent.metrics.table import METRICS

LIBRARY: Mapping[str, Kind] = MappingProxyType(
    {
        "process_virtual_memory_bytes": Kind.GAUGE,
        "process_resident_memory_bytes": Kind.GAUGE,
        "process_start_time_seconds": Kind.GAUGE,
        "process_cpu_seconds_total": Kind.COUNTER,
        "process_open_fds": Kind.GAUGE,
        "process_max_fds": Kind.GAUGE,
        "python_info": Kind.INFO,
        "python_gc_objects_collected_total": Kind.COUNTER,
        "python_gc_objects_uncollectable_total": Kind.COUNTER,
        "python_gc_collections_total": Kind.COUNTER,
    }
)
"""What prometheus_client tells of every Python process.  It belongs to the source ``state``."""

COLLECT, NAME = "collect[]", "name[]"
"""The parameters of a scrape."""


def _spellings() -> dict[str, str]:
    """The name of a metric by everything that it may be called: with and without what its kind adds."""
    kinds = {metric.name: metric.kind for metric in METRICS} | dict(LIBRARY)
    found: dict[str, str] = {}
    for name, kind in kinds.items():
        suffixes = SUFFIXES[kind]
        family = name.removesuffix(suffixes[0]) if kind in (Kind.COUNTER, Kind.INFO) else name
        found |= {f"{family}{suffix}": name for suffix in ("", *suffixes)} | {name: name}
    return found


_SPELLINGS = _spellings()


class UnknownFilter(ValueError):
    """A parameter of a scrape that means nothing; the message says what would have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a client asks for: families of these sources, and of these names.  Empty: of all."""

    sources: frozenset[Source] = frozenset()
    names: frozenset[str] = frozenset()


def parse_filters(parameters: Iterable[tuple[str, str]]) -> Filters:
    """The filters among the parameters of a request.  Raises UnknownFilter."""
    sources, names = set(), set()
    for key, value in parameters:
        if key == COLLECT:
            sources.add(_known_source(value))
        elif key == NAME:
            names.add(_known_name(value))
    return Filters(sources=frozenset(sources), names=frozenset(names))


def _known_source(word: str) -> Source:
    try:
        return Source(word)
    except ValueError:
        raise UnknownFilter(_must_be(COLLECT, word, known=[source.value for source in Source])) from None


def _known_name(word: str) -> str:
    name = _SPELLINGS.get(word)
    if name is None:
        raise UnknownFilter(_must_be(NAME, word, known=[*(metric.name for metric in METRICS), *LIBRARY]))
    return name


def _must_be(parameter: str, word: str, *, known: list[str]) -> str:
    guess = nearest(word[:_LONGEST_GUESSED], known=known)
    return f"{parameter} is not known{f'; did you mean {guess}?' if guess else ''}; known are: {', '.join(known)}"


_LONGEST_GUESSED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a scrape shows: ``metrics`` of the table and ``library``'s; ``sources`` must be asked for it."""

    metrics: tuple[Metric, ...]
    library: frozenset[str]
    unfiltered: bool
    sources: frozenset[Source]

    def shows_library(self, family: str) -> bool:
        """Whether the library's family, as the library calls it, is shown.  One that nobody has heard of is."""
        name = _SPELLINGS.get(family)
        return self.unfiltered if name is None else name in self.library


@lru_cache(maxsize=64)
def select(settings: MetricsSettings, filters: Filters) -> Selection:
    """What is shown where the configuration says ``settings`` and a client asks for ``filters``."""
    dropped = {_SPELLINGS.get(name, name) for name in settings.drop}
    metrics = tuple(
        metric
        for metric in METRICS
        if metric.name not in dropped
        and _wanted(metric.name, metric.sources, filters)
        and is_shown(metric, settings.real_servers)
    )
    library = [name for name in LIBRARY if name not in dropped and _wanted(name, (Source.STATE,), filters)]
    needed = {source for metric in metrics for source in metric.sources}
    return Selection(
        metrics=metrics,
        library=frozenset(library),
        unfiltered=filters == Filters(),
        sources=frozenset(needed & (filters.sources or set(Source))),
    )


def _wanted(name: str, sources: tuple[Source, ...], filters: Filters) -> bool:
    by_source = not filters.sources or not filters.sources.isdisjoint(sources)
    return by_source and (not filters.names or name in filters.names)


def is_shown(metric: Metric, detail: ServerDetail) -> bool:
    """Whether ``metric`` is there where ``metrics.real_servers`` is ``detail``."""
    if metric.scope is not Scope.SERVER:
        return True
    return detail is ServerDetail.FULL or (detail is ServerDetail.STATE and metric.vital)


EVERYTHING = select(MetricsSettings(), Filters())


def no_metric(name: str) -> str | None:
    """What is to be said of ``name`` in ``metrics.drop``, if no metric has it; None where one has."""
    if name in _SPELLINGS:
        return None
    guess = nearest(name, known=_SPELLINGS)
    return f"no metric is called '{name}'{f'; did you mean {_SPELLINGS[guess]!r}?' if guess else ''}"
