"""The table of metrics as a collector of prometheus_client: what our text is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from lvs_agent.core.snapshot import Histogram
from lvs_agent.metrics.metric import Labels, Metric, Summary, Value
from lvs_agent.metrics.reading import Reading
from lvs_agent.metrics.table import METRICS


class TableCollector(Collector):
    """Everything in ``metrics``, of a new reading at each collection.  Of equal labels, the last value counts."""

    def __init__(self, read: Callable[[], Reading], *, metrics: Iterable[Metric] = METRICS) -> None:
        self._read = read
        self._metrics = tuple(metrics)

    def describe(self) -> Iterable[Family]:
        """The families without samples, so that nobody collects them only to know their names."""
        return map(_empty_family, self._metrics)

    def collect(self) -> Iterator[Family]:
        """Fresh families."""
        reading = self._read()
        for metric in self._metrics:
            family = _empty_family(metric)
            last: dict[Labels, Value] = dict(metric.samples(reading))
            for labels, value in last.items():
                family.samples.extend(_samples(metric, dict(zip(metric.labels, labels, strict=True)), value))
            yield family


def _empty_family(metric: Metric) -> Family:
    return Family(metric.family, metric.help, metric.kind.value)


def _samples(metric: Metric, labels: dict[str, str], value: Value) -> Iterator[Sample]:
    match value:
        case Histogram():
            edges = (*map(floatToGoString, value.bounds), "+Inf")
            for edge, count in zip(edges, accumulate(value.counts), strict=True):
                yield Sample(f"{metric.name}_bucket", {**labels, "le": edge}, count)
            yield Sample(f"{metric.name}_count", labels, sum(value.counts))
            yield Sample(f"{metric.name}_sum", labels, value.total)
        case Summary():
            yield Sample(f"{metric.name}_count", labels, value.number)
            yield Sample(f"{metric.name}_sum", labels, value.total)
        case _:
            yield Sample(metric.name, labels, value)
