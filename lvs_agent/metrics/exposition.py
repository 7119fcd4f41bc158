"""From a reading to the answer to a scrape.  The only importer of prometheus_client."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from lvs_agent.metrics import agent, kernel, servers, services
from lvs_agent.metrics.reading import Metric, Reading
from lvs_agent.metrics.text import write

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
        ours = write(METRICS, reading, openmetrics=content_type.startswith("application/openmetrics-text"))
        return Page(content_type=content_type, body=ours.encode() + encode(self._process))
