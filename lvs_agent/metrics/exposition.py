"""From a reading to the answer to a scrape.  With ``collector`` the only importer of prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from lvs_agent.log import get_logger
from lvs_agent.metrics.reading import NotKnown, Reading, Source
from lvs_agent.metrics.roster import Rosters
from lvs_agent.metrics.selection import EVERYTHING, Selection
from lvs_agent.metrics.text import Writer

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer to a scrape that is being made: ``parts`` can be taken once, and each takes a while."""

    content_type: str
    parts: Iterator[bytes]

    @property
    def body(self) -> bytes:
        """All parts; once."""
        return b"".join(self.parts)


class Exposition:
    """Renders readings, one after another, whichever threads ask."""

    def __init__(self) -> None:
        self._process = _process_registry()
        self._turn = Lock()
        self._writer = Writer()
        self._with_table, self._without_table = Rosters(), Rosters()
        self._told: dict[str, str] = {}

    def render(self, reading: Reading, *, accept: str, selection: Selection = EVERYTHING) -> Page:
        """The metrics in the format that ``accept`` (an HTTP header) prefers, the plain text format if in doubt."""
        encode, content_type = _format(accept)
        openmetrics = content_type.startswith(_OPENMETRICS)

        def parts() -> Iterator[bytes]:
            with self._turn:
                rosters = self._with_table if reading.statistics else self._without_table
                faults: dict[str, Exception] = {}
                library = self._library(selection, faults)
                yield from self._ours(reading.with_rosters(rosters), selection, faults, openmetrics=openmetrics)
                yield encode(library)
                self._tell(faults)

        return Page(content_type=content_type, parts=parts())

    def _library(self, selection: Selection, faults: dict[str, Exception]) -> _Families:
        """What prometheus_client tells of the process."""
        try:
            return _Families([one for one in self._process.collect() if selection.shows_library(one.name)])
        except Exception as error:  # noqa: BLE001 - our own metrics must be seen whatever happens here
            faults["process"] = error
            return _Families([])

    def _ours(
        self, reading: Reading, selection: Selection, faults: dict[str, Exception], *, openmetrics: bool
    ) -> Iterator[bytes]:
        """Family after family.  One that cannot be made is left out, and its source is said to have failed."""
        failed = {Source.STATE} if faults else set()
        for metric in selection.metrics:
            told = reading.with_failed(failed) if metric.last else reading
            try:
                family = self._writer.family(metric, metric.read(told), openmetrics=openmetrics).encode()
            except NotKnown:
                continue
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one family, the others must be seen
                faults[metric.name] = error
                failed.add(next((source for source in metric.sources if source in reading.sources), Source.STATE))
            else:
                yield family

    def _tell(self, faults: Mapping[str, Exception]) -> None:
        """Log a fault when it comes, not with each scrape."""
        problems = {name: f"{type(error).__name__}: {error}" for name, error in faults.items()}
        for name, problem in problems.items():
            if self._told.get(name) != problem:
                _log.error("metric_left_out", metric=name, error=problem, exc_info=faults[name])
        self._told |= problems


def _process_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def library_families() -> list[str]:
    """What prometheus_client tells of every process here, by the names that it gives."""
    return [family.name for family in _process_registry().collect()]


_OPENMETRICS = "application/openmetrics-text"


def _format(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """The library's writer and its content type; plain text for who wants no version of OpenMetrics that we write."""
    with suppress(TypeError, ValueError):  # what choose_encoder makes of a version that is no number
        encode, content_type = choose_encoder(accept)
        if not content_type.startswith(_OPENMETRICS) or "version=1.0.0;" in content_type:
            return encode, content_type
    return choose_encoder("")


@dataclass(frozen=True, slots=True)
class _Families(Collector):
    """As much of a registry as the library's writers want to see."""

    families: Sequence[Family]

    def collect(self) -> Iterable[Family]:
        return self.families
