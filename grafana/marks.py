"""Annotations: marks in every panel at the time of an event."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from grafana import queries
from grafana.panels import DATASOURCE

_STEP = "15s"
"""Step of the queries, if the time range allows it: the usual scrape interval, so that few changes are missed."""

_INSTANCE = "{{instance}}"
"""The text of a mark about an agent."""


class Annotation(AnnotationQuery):
    """An annotation from Prometheus, with the keys that Grafana has only for Prometheus.

    ``by_value``: the value of the series is the time of the event, in milliseconds; otherwise the annotation lasts
    while the value is above 0.  ``text`` may name labels in double braces; ``tags`` are names of labels too.
    """

    def __init__(self, *, name: str, expr: str, color: str, text: str, tags: str, by_value: bool) -> None:
        super().__init__(name=name, expr=expr, icon_color=color, datasource=DATASOURCE, hide=None, built_in=None)
        self.text = text
        self.tags = tags
        self.by_value = by_value

    def to_json(self) -> dict[str, object]:
        """The annotation with the keys that are only for Prometheus."""
        return super().to_json() | {
            "titleFormat": self.name,
            "textFormat": self.text,
            "tagKeys": self.tags,
            "useValueForTime": self.by_value,
            "step": _STEP,
        }


def alerts(*matchers: str) -> AnnotationQuery:
    """Alerts while they fire.  Alerts without an instance, such as one about all agents, are always shown."""
    return Annotation(
        name="Alert",
        expr=firing(*matchers),
        color="red",
        text="{{alertname}} {{virtual_service}} {{real_server}}",
        tags="severity,instance",
        by_value=False,
    )


def firing(*matchers: str) -> str:
    """The selector of the firing alerts of lvs-agent."""
    chosen = ('alertname=~"LVS.+"', 'alertstate="firing"', 'job=~"$job"', 'instance=~"$instance|"', *matchers)
    return f"ALERTS{{{', '.join(chosen)}}}"


def transitions(metric: str, *, text: str) -> AnnotationQuery:
    """The times at which real servers went up or down; ``metric`` selects the servers, ``text`` names them."""
    return _moments("Real server up or down", metric, color="orange", text=text)


def reloads() -> AnnotationQuery:
    """The times at which configurations were loaded."""
    metric = queries.agent("lvs_agent_config_last_reload_success_timestamp_seconds")
    return _moments("Configuration loaded", metric, color="blue")


def restarts() -> AnnotationQuery:
    """The times at which agents started."""
    return _moments("Agent started", queries.agent("process_start_time_seconds"), color="yellow")


def _moments(name: str, metric: str, *, color: str, text: str = _INSTANCE) -> AnnotationQuery:
    """Marks at the times that are the values of ``metric``, in seconds since 1970."""
    return Annotation(name=name, expr=f"{metric} * 1000", color=color, text=text, tags="instance", by_value=True)


def refusals() -> AnnotationQuery:
    """The periods in which the file on disk is invalid and an older configuration is in force."""
    return Annotation(
        name="Configuration refused",
        expr=f"{queries.agent('lvs_agent_config_last_reload_successful')} == bool 0",
        color="purple",
        text=_INSTANCE,
        tags="instance",
        by_value=False,
    )
