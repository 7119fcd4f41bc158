"""Warnings about a configuration that need the table of metrics, whose layer is above the configuration's."""

from __future__ import annotations

from dataclasses import replace

from lvs_agent.config import Config
from lvs_agent.errors import Problem


def with_metric_warnings(config: Config) -> Config:
    """``config`` with a warning for each name in ``metrics.drop`` that no metric has."""
    if not config.agent.metrics.drop:
        return config
    # Imported where it is needed: the checks need not wait for the table at the start.
    from lvs_agent.metrics.selection import no_metric  # noqa: PLC0415

    said = (no_metric(name) for name in sorted(config.agent.metrics.drop))
    found = tuple(Problem("metrics.drop", text) for text in said if text is not None)
    return replace(config, warnings=(*config.warnings, *found))
