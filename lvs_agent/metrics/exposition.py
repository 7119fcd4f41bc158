"""From the table of metrics to the text that Prometheus reads.  The only importer of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from lvs_agent.core.snapshot import Histogram
from lvs_agent.metrics import agent, kernel, servers, services
from lvs_agent.metrics.reading import Kind, Metric, Reading, Summary, Value

METRICS: tuple[Metric, ...] = (*services.METRICS, *servers.METRICS, *kernel.METRICS, *agent.METRICS)
"""The one table of metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A finished answer to a scrape."""

    content_type: str
    body: bytes


class Exposition:
    """Renders readings; any number of them at once, from any thread."""

    def __init__(self) -> None:
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    def render(self, reading: Reading, *, accept: str) -> Page:
        """The metrics in the format that ``accept`` (an HTTP header) prefers, the plain text format if in doubt."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # what choose_encoder makes of a version that is no number
            encode, content_type = choose_encoder("")
        registry = CollectorRegistry()
        registry.register(ReadingCollector(reading))
        registry.register(_Rest(self._process))
        return Page(content_type=content_type, body=encode(registry))


class ReadingCollector(Collector):
    """One reading as fresh families, for any registry."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def describe(self) -> Iterable[Family]:
        return map(_empty_family, METRICS)

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            family = _empty_family(metric)
            # Through a dict, because prometheus_client would write a series twice without a word.
            for labels, value in dict(metric.samples(self._reading)).items():
                family.samples.extend(_samples(metric, dict(zip(metric.labels, labels, strict=True)), value))
            yield family


class _Rest(Collector):
    """The families of another registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Family]:
        return self._registry.collect()


_SUFFIX = {Kind.COUNTER: "_total", Kind.INFO: "_info"}


def _empty_family(metric: Metric) -> Family:
    return Family(metric.name.removesuffix(_SUFFIX.get(metric.kind, "")), metric.help, metric.kind.value)


def _samples(metric: Metric, labels: dict[str, str], value: Value) -> Iterator[Sample]:
    match value:
        case Histogram():
            edges = (*map(floatToGoString, value.bounds), "+Inf")
            for edge, count in zip(edges, accumulate(value.counts), strict=True):
                yield Sample(f"{metric.name}_bucket", {**labels, "le": edge}, count)
            yield Sample(f"{metric.name}_count", labels, sum(value.counts))
            yield Sample(f"{metric.name}_sum", labels, value.total)
        case Summary():
            yield Sample(f"{metric.name}_count", labels, value.count)
            yield Sample(f"{metric.name}_sum", labels, value.total)
        case _:
            yield Sample(metric.name, labels, value)
