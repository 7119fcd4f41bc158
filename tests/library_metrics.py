"""What our text is compared with: the same families as prometheus_client writes them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from lvs_agent.metrics.metric import Metric
from lvs_agent.metrics.reading import Reading
from lvs_agent.metrics.table import METRICS
from tests.table_collector import TableCollector


def library_text(reading: Reading, *, accept: str, metrics: Iterable[Metric] = METRICS) -> str:
    """``metrics`` as prometheus_client writes them."""
    registry = CollectorRegistry()
    registry.register(TableCollector(lambda: reading, metrics=metrics))
    encode, _ = choose_encoder(accept)
    return encode(registry).decode()
