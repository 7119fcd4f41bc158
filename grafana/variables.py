"""The variables: what a reader selects at the top of a dashboard."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import (
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
    VariableType,
)

from grafana import queries
from grafana.panels import DATASOURCE

_ALL = VariableOption(selected=True, text="All", value="$__all")


def datasource() -> VariableModel:
    """Which Prometheus."""
    return VariableModel(
        type_val=VariableType.DATASOURCE,
        name="datasource",
        label="Data source",
        description="The Prometheus that scrapes the directors.",
        query="prometheus",
        refresh=VariableRefresh.ON_DASHBOARD_LOAD,
    )


def several(name: str, description: str, metric: str) -> VariableModel:
    """A variable for any number of the values of the label ``name`` in ``metric``; all of them by default."""
    found = _of_label(name, description, metric)
    found.multi, found.include_all, found.all_value, found.current = True, True, ".+", _ALL
    return found


def some(name: str, description: str, metric: str) -> VariableModel:
    """A variable for some values of the label ``name`` in ``metric``; the first one by default.

    It does not offer all of them, because that would be too many to read.  More than one may be chosen, because
    Grafana escapes values for a regular expression only in such a variable: otherwise names such as
    ``tcp/[2001:db8::1]:80`` would match nothing.
    """
    found = _of_label(name, description, metric)
    found.multi, found.include_all = True, False
    return found


def job() -> VariableModel:
    """The scrape jobs; most sites have one."""
    return several("job", "The scrape job of the agents.", "lvs_agent_build_info")


def instance() -> VariableModel:
    """Which directors."""
    return several("instance", "The directors.", 'lvs_agent_build_info{job=~"$job"}')


def virtual_services() -> VariableModel:
    """Which virtual services; all by default."""
    return several("virtual_service", "The virtual services.", queries.agent("lvs_virtual_service_info"))


def virtual_service() -> VariableModel:
    """The virtual service that the dashboard shows."""
    return some("virtual_service", "The virtual service.", queries.agent("lvs_virtual_service_info"))


def real_servers() -> VariableModel:
    """Which real servers of the chosen service."""
    return several("real_server", "Its real servers.", queries.service("lvs_real_server_info"))


def _of_label(name: str, description: str, metric: str) -> VariableModel:
    return VariableModel(
        type_val=VariableType.QUERY,
        name=name,
        label=name,
        description=description,
        query=f"label_values({metric}, {name})",
        datasource=DATASOURCE,
        refresh=VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=VariableSort.NATURAL_ASC,
    )
