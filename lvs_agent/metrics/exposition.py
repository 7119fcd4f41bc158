"""From a reading to the answer to a scrape.  The only importer of prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from lvs_agent.log import get_logger
from lvs_agent.metrics.reading import NotKnown, Reading, Source
from lvs_agent.metrics.selection import EVERYTHING, Selection
from lvs_agent.metrics.text import Writer

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The answer to a scrape."""

    content_type: str
    body: bytes


class Packer(Protocol):
    """Takes a body part by part, and gives it whole as it is sent."""

    def add(self, part: bytes) -> None:
        """Take the next part."""
        ...

    def finish(self) -> bytes:
        """The body; called once, after the last part."""
        ...


class Plain:
    """The packer that leaves a body as it is."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self._parts.append(part)

    def finish(self) -> bytes:
        return b"".join(self._parts)


class Exposition:
    """Renders readings, one after another, whichever threads ask."""

    def __init__(self) -> None:
        self._process = _process_registry()
        self._lock = Lock()
        self._writer = Writer()
        self._logged: dict[str, str] = {}

    def render(
        self, reading: Reading, *, accept: str, selection: Selection = EVERYTHING, packer: Packer | None = None
    ) -> Page:
        """The metrics in the format that ``accept`` (an HTTP header) prefers, the plain text format if in doubt.

        ``packer`` gets each family before the next is written; None leaves the body as it is.
        """
        encode, content_type = _format(accept)
        openmetrics = content_type.startswith(_OPENMETRICS)
        packer = packer or Plain()
        faults: dict[str, Exception] = {}
        with self._lock:
            library = self._library(selection, faults)
            self._write_families(reading, selection, faults, openmetrics=openmetrics, packer=packer)
            packer.add(encode(library))
            self._log_new(faults)
        return Page(content_type=content_type, body=packer.finish())

    def _library(self, selection: Selection, faults: dict[str, Exception]) -> _Families:
        """The families of the process, from prometheus_client."""
        try:
            return _Families([one for one in self._process.collect() if selection.shows_library(one.name)])
        except Exception as error:  # noqa: BLE001 - our own metrics must be seen whatever happens here
            faults["process"] = error
            return _Families([])

    def _write_families(
        self,
        reading: Reading,
        selection: Selection,
        faults: dict[str, Exception],
        *,
        openmetrics: bool,
        packer: Packer,
    ) -> None:
        """Write family after family.  One that cannot be made is left out, and its source is shown as failed."""
        failed = {Source.STATE} if faults else set()
        for metric in selection.metrics:
            shown = reading.with_failed(failed) if metric.last else reading
            try:
                family = self._writer.family(metric, metric.read(shown), openmetrics=openmetrics).encode()
            except NotKnown:
                continue
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one family, the others must be seen
                faults[metric.name] = error
                failed.add(next((source for source in metric.sources if source in reading.sources), Source.STATE))
            else:
                packer.add(family)

    def _log_new(self, faults: Mapping[str, Exception]) -> None:
        """Log each fault when it first occurs, not with each scrape."""
        problems = {name: f"{type(error).__name__}: {error}" for name, error in faults.items()}
        for name, problem in problems.items():
            if self._logged.get(name) != problem:
                _log.error("metric_left_out", metric=name, error=problem, exc_info=faults[name])
        self._logged |= problems


def _process_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def library_families() -> list[str]:
    """The names of the families that prometheus_client has for every process on this system."""
    return [family.name for family in _process_registry().collect()]


_OPENMETRICS = "application/openmetrics-text"


def _format(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """The library's writer and its content type; plain text for clients of other versions of OpenMetrics than ours."""
    with suppress(TypeError, ValueError):  # what choose_encoder raises for a version that is not a number
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
