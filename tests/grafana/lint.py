"""The rules for dashboards that no schema can have.  Each yields one sentence for each fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

from grafana_foundation_sdk.models import units

from tests.grafana.dashboards import panels
from tests.grafana.promql import AGGREGATIONS, Selector, selectors
from tests.test_metrics import NAMES

Dashboard = dict[str, Any]
Panel = dict[str, Any]

UNITS = frozenset(value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_"))
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SERIES = re.compile(r"_(bucket|sum|count)$")
OTHERS = frozenset({"up", "ALERTS", "process_start_time_seconds"})
OF_PROCESS = re.compile(r"(process|python)_\w+")
WIDTH = 24


def lint(dashboard: Dashboard) -> list[str]:
    """Everything that is wrong with a dashboard."""
    found = [fault for rule in RULES for fault in rule(dashboard)]
    found += [
        f"{panel.get('title')}: {fault}" for panel in panels(dashboard) for rule in PANEL_RULES for fault in rule(panel)
    ]
    return found + [fault for expr in expressions(dashboard) for fault in of_expression(expr, dashboard)]


def expressions(dashboard: Dashboard) -> Iterator[str]:
    """Of panels and annotations."""
    for panel in panels(dashboard):
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in dashboard["annotations"]["list"])


def can_be_provisioned(dashboard: Dashboard) -> Iterator[str]:
    """It is the same everywhere: a fixed uid, not to be edited, nothing of one Grafana in it."""
    if not re.fullmatch(r"[a-z-]{1,40}", dashboard.get("uid") or ""):
        yield "no fixed uid"
    if dashboard.get("editable") is not False:
        yield "editable"
    yield from (f"{key} is of one Grafana only" for key in ("__inputs", "__requires", "id") if key in dashboard)
    if dashboard.get("tags") != ["lvs_agent"] or not dashboard.get("title") or not dashboard.get("description"):
        yield "no tag, title or description"


def is_linked_to_the_others(dashboard: Dashboard) -> Iterator[str]:
    """One gets to the other dashboards and keeps what was chosen."""
    links = dashboard.get("links") or []
    wanted = {"type": "dashboards", "tags": ["lvs_agent"], "keepTime": True, "includeVars": True}
    if not any(wanted.items() <= link.items() for link in links):
        yield "no link to the other dashboards that keeps time and variables"


def has_its_variables(dashboard: Dashboard) -> Iterator[str]:
    """Data source, job and instance come first, and all variables follow the ones before them."""
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    if list(variables)[:3] != ["datasource", "job", "instance"]:
        yield "the first variables are not datasource, job and instance"
        return
    source = {"type": "datasource", "query": "prometheus", "label": "Data source"}
    if not source.items() <= variables.pop("datasource").items():
        yield "the variable datasource does not choose a Prometheus"
    for name, variable in variables.items():
        if variable.get("datasource") != DATASOURCE or variable.get("refresh") != 2 or variable.get("label") != name:
            yield f"the variable {name} does not ask the chosen data source for each time range"
        if not variable.get("multi"):
            yield f"the values of {name} are not escaped for regular expressions"
        if name in {"job", "instance"} and not (
            variable.get("multi") and variable.get("includeAll") and variable.get("allValue") == ".+"
        ):
            yield f"of {name} not several and not all can be chosen"
        if name == "real_server" and variables["virtual_service"].get("includeAll"):
            yield "real servers of all services at once"


def has_panels_in_order(dashboard: Dashboard) -> Iterator[str]:
    """Each panel has a number and a place of its own."""
    found = [*panels(dashboard), *(panel for panel in dashboard["panels"] if panel["type"] == "row")]
    numbers = [panel.get("id") for panel in found]
    if len(set(numbers)) < len(numbers) or not all(numbers):
        yield "numbers of panels are missing or not unique"
    for panel in found:
        at = panel["gridPos"]
        if min(at["x"], at["y"]) < 0 or min(at["w"], at["h"]) < 1 or at["x"] + at["w"] > WIDTH:
            yield f"{panel['title']} is not on the grid"
    for one, other in combinations(found, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']} and {other['title']} overlap"


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def asks_the_chosen_datasource(panel: Panel) -> Iterator[str]:
    """Every query goes where the reader wants it to go."""
    if panel.get("datasource") != DATASOURCE or any(target["datasource"] != DATASOURCE for target in panel["targets"]):
        yield "another data source"
    if not panel["targets"] or len({target["refId"] for target in panel["targets"]}) < len(panel["targets"]):
        yield "no query, or two with one name"


def says_what_it_shows(panel: Panel) -> Iterator[str]:
    """Title, description, and a unit that Grafana knows."""
    if not panel.get("title"):
        yield "no title"
    if len(panel.get("description") or "") < 15:
        yield "no description"
    fields = panel["fieldConfig"]
    properties = [one for override in fields["overrides"] for one in override["properties"]]
    found = [fields["defaults"].get("unit"), *(one["value"] for one in properties if one["id"] == "unit")]
    yield from (f"{unit!r} is not a unit" for unit in found if unit not in UNITS)


def shows_zero_in_words(panel: Panel) -> Iterator[str]:
    """A threshold at 0 makes everything red, so that 0 itself must have a word with a colour of its own."""
    defaults = panel["fieldConfig"]["defaults"]
    overrides = [
        {one["id"]: one["value"] for one in override["properties"]} for override in panel["fieldConfig"]["overrides"]
    ]
    for fields in (defaults, *overrides):
        steps = fields.get("thresholds", {"steps": []})["steps"]
        words = {key for mapping in fields.get("mappings") or [] for key in mapping["options"]}
        if any(step["value"] == 0 for step in steps) and "0" not in words:
            yield "red at 0"


def shows_as_now_what_is_now(panel: Panel) -> Iterator[str]:
    """Of a course the last number is shown, however old it is."""
    if panel["type"] in {"stat", "table"}:
        yield from ("shows what may be long ago" for target in panel["targets"] if not target.get("instant"))


def shows_courses_with_gaps_and_legends(panel: Panel) -> Iterator[str]:
    """Each line has a name, and what is missing is seen."""
    if panel["type"] in {"timeseries", "state-timeline"}:
        if not panel["options"]["legend"]["showLegend"]:
            yield "no legend"
        if any(target.get("legendFormat", "") in {"", "__auto"} for target in panel["targets"]):
            yield "a query without a name for its series"
    if panel["type"] == "timeseries" and panel["fieldConfig"]["defaults"]["custom"].get("spanNulls") is not False:
        yield "gaps are bridged"


RULES: tuple[Callable[[Dashboard], Iterator[str]], ...] = (
    can_be_provisioned,
    is_linked_to_the_others,
    has_its_variables,
    has_panels_in_order,
)
PANEL_RULES: tuple[Callable[[Panel], Iterator[str]], ...] = (
    asks_the_chosen_datasource,
    says_what_it_shows,
    shows_zero_in_words,
    shows_as_now_what_is_now,
    shows_courses_with_gaps_and_legends,
)


def of_expression(expr: str, dashboard: Dashboard) -> Iterator[str]:
    """What is wrong with an expression; it is part of each sentence."""
    known = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", expr)) - {"1", "__rate_interval", "__range"}
    yield from (f"no variable {name}: {expr}" for name in sorted(used - known))
    for selector in selectors(expr):
        yield from (f"{selector.metric} {fault}: {expr}" for fault in _of_selector(selector, known))


def _of_selector(selector: Selector, variables: set[str]) -> Iterator[str]:
    base = selector.metric if selector.metric in NAMES else SERIES.sub("", selector.metric)
    if base not in NAMES and base not in OTHERS and not OF_PROCESS.fullmatch(base):
        yield "is no metric of ours"
    labels = NAMES.get(base, "virtual_service" if base == "ALERTS" else "").split()
    for label in ("job", "instance", "virtual_service", "real_server"):
        needed = label in {"job", "instance"} or (label in labels and label in variables)
        chosen = selector.matchers.get(label) in {f"=~${label}", f"=~${label}|" if base == "ALERTS" else ""}
        if needed and not chosen and not (base == "ALERTS" and label == "virtual_service"):
            yield f"is not limited to the chosen {label}"
    around = selector.inside
    if "real_server" in labels and "real_server" not in variables and not AGGREGATIONS & set(around):
        yield "has a series for each real server of every service"
    counts = base.endswith("_total") or selector.metric != base
    function = around[-1] if around else ""
    if counts and function not in {"rate", "irate", "increase", "changes"}:
        yield "is a counter without a rate"
    if function in {"rate", "irate"} and selector.window != "$__rate_interval":
        yield "has a rate over a fixed time"
    if function in {"rate", "irate", "increase"} and not counts:
        yield "is a rate of a metric that is not a counter"
