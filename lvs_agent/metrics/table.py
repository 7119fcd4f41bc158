"""The one table of metrics."""

from __future__ import annotations

from lvs_agent.metrics import agent, kernel, servers, services
from lvs_agent.metrics.metric import Metric

METRICS: tuple[Metric, ...] = (*services.METRICS, *servers.METRICS, *kernel.METRICS, *agent.METRICS)
