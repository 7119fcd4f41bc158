"""The committed dashboards keep the rules, and the rules find what breaks them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.dashboards import PATHS, panels, read
from tests.grafana.lint import lint, of_expression
from tests.grafana.promql import selectors
from tests.grafana.strict import faults

Breaking = Callable[[dict[str, Any]], object]


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each of them, to be broken at will."""
    path: Path = request.param
    return read(path)


def first(dashboard: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first panel of a kind."""
    return next(panel for panel in panels(dashboard) if panel["type"] == kind)


def at_zero(dashboard: dict[str, Any]) -> None:
    """A threshold at 0 where no word stands for 0."""
    defaults = first(dashboard, "timeseries")["fieldConfig"]["defaults"]
    defaults["thresholds"]["steps"].append({"color": "red", "value": 0})


BROKEN: dict[str, tuple[str, Breaking]] = {
    "uid": ("no fixed uid", lambda d: d.pop("uid")),
    "editable": ("editable", lambda d: d.update(editable=True)),
    "inputs": ("__inputs is of one Grafana only", lambda d: d.update(__inputs=[])),
    "tags": ("no tag, title or description", lambda d: d.update(tags=[])),
    "links": ("no link to the other", lambda d: d["links"][0].update(keepTime=False)),
    "order": ("the first variables", lambda d: d["templating"]["list"].reverse()),
    "source": ("does not choose a Prometheus", lambda d: d["templating"]["list"][0].update(query="loki")),
    "refresh": ("for each time range", lambda d: d["templating"]["list"][1].update(refresh=1)),
    "all": ("not all can be chosen", lambda d: d["templating"]["list"][2].update(allValue=".*")),
    "escapes": ("not escaped", lambda d: d["templating"]["list"][1].update(multi=False)),
    "numbers": ("not unique", lambda d: first(d, "stat").update(id=1)),
    "grid": ("not on the grid", lambda d: first(d, "stat")["gridPos"].update(x=23)),
    "overlap": ("overlap", lambda d: first(d, "timeseries")["gridPos"].update(y=1)),
    "panel's source": ("another data source", lambda d: first(d, "stat").update(datasource={"uid": "default"})),
    "query's source": ("another data source", lambda d: first(d, "stat")["targets"][0]["datasource"].update(uid="x")),
    "two queries": ("two with one name", lambda d: first(d, "stat")["targets"].append(first(d, "stat")["targets"][0])),
    "title": ("no title", lambda d: first(d, "stat").update(title="")),
    "description": ("no description", lambda d: first(d, "table").pop("description")),
    "unit": ("is not a unit", lambda d: first(d, "stat")["fieldConfig"]["defaults"].update(unit="connps")),
    "unit of a column": (
        "is not a unit",
        lambda d: first(d, "table")["fieldConfig"]["overrides"][0]["properties"][0].update(value="wizards"),
    ),
    "zero": ("red at 0", at_zero),
    "now": ("long ago", lambda d: first(d, "stat")["targets"][0].update(instant=False)),
    "legend": ("no legend", lambda d: first(d, "timeseries")["options"]["legend"].update(showLegend=False)),
    "name": ("without a name", lambda d: first(d, "timeseries")["targets"][0].update(legendFormat="__auto")),
    "gaps": ("bridged", lambda d: first(d, "timeseries")["fieldConfig"]["defaults"]["custom"].update(spanNulls=True)),
    "expression": ("without a rate", lambda d: first(d, "stat")["targets"][0].update(expr="lvs_connections_total")),
    "annotation": ("no metric of ours", lambda d: d["annotations"]["list"][0].update(expr="lvs_agent_gone")),
}
J = 'job=~"$job",instance=~"$instance"'
EXPRESSIONS = {
    f"rate(lvs_connections_total{{{J}}}[$__rate_interval])": "",
    f"lvs_connections_total{{{J}}}": "is a counter without a rate",
    f"rate(lvs_connections_total{{{J}}}[5m])": "has a rate over a fixed time",
    f"rate(lvs_agent_active{{{J}}}[$__rate_interval])": "is a rate of a metric that is not a counter",
    f"increase(lvs_connections_total{{{J}}}[15m]) > 5": "",
    'lvs_agent_active{job=~"$job"}': "is not limited to the chosen instance",
    f"lvs_agent_activ{{{J}}}": "is no metric of ours",
    f"lvs_virtual_service_weight{{{J}}}": "is not limited to the chosen virtual_service",
    f'lvs_virtual_service_weight{{{J},virtual_service=~"$virtual_service"}}': "",
    f'lvs_real_server_up{{{J},virtual_service=~"$virtual_service"}}': "has a series for each real server",
    f'sum by (job) (lvs_real_server_up{{{J},virtual_service=~"$virtual_service"}})': "",
    f"lvs_agent_reconcile_duration_seconds_bucket{{{J}}}": "is a counter without a rate",
    'ALERTS{job=~"$job",instance=~"$instance|"}': "",
    f'up{{{J},cluster=~"$cluster"}}': "no variable cluster",
}


def test_dashboard_keeps_the_rules(dashboard: dict[str, Any]) -> None:
    """Not one fault in what is committed."""
    assert lint(dashboard) == []


def test_dashboard_fits_grafanas_types(dashboard: dict[str, Any]) -> None:
    """No key that Grafana does not know, no value of another type than it wants."""
    assert list(faults(dashboard)) == []


@pytest.mark.parametrize("case", BROKEN)
def test_rules_find_what_breaks_them(case: str) -> None:
    """One change for each rule, one sentence about it."""
    broken = copy.deepcopy(read(PATHS[0]))
    sentence, breaking = BROKEN[case]
    breaking(broken)

    assert [fault for fault in lint(broken) if sentence in fault]


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_rules_for_expressions_find_what_breaks_them(expr: str) -> None:
    """Each as it should be, and each in a way that it should not."""
    overview = read(next(path for path in PATHS if path.stem == "lvs-overview"))
    found = list(of_expression(expr, overview))

    assert [EXPRESSIONS[expr] in fault for fault in found] == ([True] if EXPRESSIONS[expr] else [])


@pytest.mark.parametrize(
    ("breaking", "where"),
    [
        pytest.param(lambda d: d.update(shiny=True), "dashboard: unknown key 'shiny'", id="unknown key"),
        pytest.param(
            lambda d: first(d, "stat")["options"].update(glow=1), ".options: unknown key 'glow'", id="unknown option"
        ),
        pytest.param(
            lambda d: first(d, "stat")["options"].update(graphMode="pie"),
            "is not of type BigValueGraphMode",
            id="unknown word",
        ),
        pytest.param(
            lambda d: first(d, "stat")["gridPos"].update(x="0"), ".gridPos.x: '0' is not of type int", id="no number"
        ),
        pytest.param(lambda d: d.update(graphTooltip=True), "graphTooltip", id="no flag"),
        pytest.param(
            lambda d: first(d, "stat")["targets"][0].update(query="up"), "unknown key 'query'", id="unknown query key"
        ),
        pytest.param(lambda d: d["annotations"]["list"][0].update(color="red"), "unknown key 'color'", id="annotation"),
        pytest.param(
            lambda d: first(d, "table")["fieldConfig"]["overrides"][0]["properties"][0].update(value=3),
            "3 is not of type str",
            id="override",
        ),
    ],
)
def test_types_find_what_does_not_fit(breaking: Breaking, where: str) -> None:
    """A key, a word or a kind of value that Grafana would silently drop, or stumble over."""
    broken = copy.deepcopy(read(PATHS[0]))
    breaking(broken)

    assert [fault for fault in faults(broken) if where in fault]


def test_selectors_are_found_with_what_is_around_them() -> None:
    """Matchers, windows, functions, and labels of groupings that are no metrics."""
    expr = 'sum by (le) (rate(a_bucket{x=~"(b)", y!="c"}[5m])) / on (job) group_left () max_over_time(d[1h]) > bool 0.5'
    one, other = selectors(expr)

    assert (one.metric, one.matchers, one.window, one.inside) == (
        "a_bucket",
        {"x": "=~(b)", "y": "!=c"},
        "5m",
        ("sum", "rate"),
    )
    assert (other.metric, other.window, other.inside) == ("d", "1h", ("max_over_time",))
