"""The table of metrics through prometheus_client's own families and writers: what our text is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from lvs_agent.core.snapshot import Histogram
from lvs_agent.metrics.exposition import METRICS
from lvs_agent.metrics.reading import Metric, Reading, Summary, Value


def library_text(reading: Reading, *, accept: str) -> str:
    """Our metrics as prometheus_client writes them."""
    registry = CollectorRegistry()
    registry.register(ReadingCollector(reading))
    encode, _ = choose_encoder(accept)
    return encode(registry).decode()


class ReadingCollector(Collector):
    """One reading as fresh families."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def describe(self) -> Iterable[Family]:
        return map(_empty_family, METRICS)

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            family = _empty_family(metric)
            for labels, value in metric.samples(self._reading):
                family.samples.extend(_samples(metric, dict(zip(metric.labels, labels, strict=True)), value))
            yield family


def _empty_family(metric: Metric) -> Family:
    return Family(metric.name.removesuffix("_total").removesuffix("_info"), metric.help, metric.kind.value)


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
