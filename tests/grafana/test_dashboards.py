"""The dashboards as files, and beside the metrics and the alert rules that they are about."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from grafana.__main__ import texts
from grafana.limits import LIMITS, Limit
from tests.grafana.dashboards import DIRECTORY, PATHS, ROOT, panels, questions, read
from tests.grafana.lint import expressions
from tests.grafana.promql import selectors
from tests.grafana.scene import RULES
from tests.test_metrics import NAMES

NOT_SHOWN = {
    "lvs_real_server_info": "tells the values of a variable, and names what the other panels measure",
}
COMPARISON = re.compile(r"[<>]=?\s*(?:on \([^)]*\)\s*)?(?:group_left \(\)\s*)?([\d.]+(?:\s*\*\s*[\d.]+)*)")


def rules() -> list[dict[str, Any]]:
    """Every rule for Prometheus."""
    loaded = YAML(typ="safe").load(RULES.read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def test_files_are_what_python_says() -> None:
    """Whoever changes a dashboard runs `make docs`."""
    committed = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.iterdir()}

    assert committed == texts()


def test_every_metric_is_shown() -> None:
    """Nothing is exported that no picture uses, but for what is named here with the reason."""
    used = {
        re.sub(r"_(bucket|sum|count)$", "", selector.metric)
        for path in PATHS
        for expr in expressions(read(path))
        for selector in selectors(expr)
    } | {selector.metric for path in PATHS for expr in expressions(read(path)) for selector in selectors(expr)}

    assert NAMES.keys() - used == NOT_SHOWN.keys()


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.alert} {limit.value:g}")
def test_limits_are_those_of_the_alert_rules(limit: Limit) -> None:
    """A picture turns red where an alert is due."""
    found = [
        math.prod(float(factor) for factor in match[1].split("*"))
        for rule in rules()
        if rule.get("alert") == limit.alert
        for match in COMPARISON.finditer(rule["expr"])
    ]

    assert limit.value in found


def test_thresholds_are_limits() -> None:
    """Of each panel and column: what an alert has, or 0, which tells none from some."""
    allowed = {limit.value for limit in LIMITS} | {0}
    found = set()
    for path in PATHS:
        for panel in panels(read(path)):
            fields = panel["fieldConfig"]
            properties = [one for override in fields["overrides"] for one in override["properties"]]
            all_of = [
                fields["defaults"]["thresholds"],
                *(one["value"] for one in properties if one["id"] == "thresholds"),
            ]
            found |= {step["value"] for thresholds in all_of for step in thresholds["steps"]} - {None}

    assert found <= allowed
    assert len(found) > 5


def test_links_lead_to_dashboards() -> None:
    """Each address begins with the uid of one of them, and gives it only variables that it has."""
    variables = {
        dashboard["uid"]: {variable["name"] for variable in dashboard["templating"]["list"]}
        for dashboard in map(read, PATHS)
    }
    urls = [
        link["url"]
        for path in PATHS
        for panel in panels(read(path))
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
    ]

    assert urls
    for url in urls:
        match = re.fullmatch(r"/d/([a-z-]+)\?(.*)", url)
        assert match is not None
        given = set(re.findall(r"var-(\w+)=|\$\{(\w+):queryparam}", match[2]))
        assert {one or other for one, other in given} == variables[match[1]] - {"real_server"}


def test_every_expression_is_promql(tmp_path: Path) -> None:
    """promtool parses each of them, as the expression of a rule."""
    if shutil.which("promtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: apt-get install prometheus")
        pytest.skip("promtool is missing: apt-get install prometheus (it is part of that package)")
    found = sorted({question.expr for path in PATHS for question in questions(read(path))})
    path = tmp_path / "rules.yml"
    with path.open("w") as file:
        records = [{"record": f"n{number}", "expr": expr} for number, expr in enumerate(found)]
        YAML(typ="safe").dump({"groups": [{"name": "all", "rules": records}]}, file)
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(found)} rules found" in done.stdout


def test_examples_of_provisioning_name_what_there_is() -> None:
    """A data source of Prometheus, and the directory into which the dashboards go."""
    directory = ROOT / "grafana" / "provisioning"
    sources = YAML(typ="safe").load((directory / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))
    providers = YAML(typ="safe").load((directory / "dashboards" / "lvs-agent.yml").read_text(encoding="utf-8"))

    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]
    assert [(one["type"], one["allowUiUpdates"]) for one in providers["providers"]] == [("file", False)]
    assert sources["apiVersion"] == providers["apiVersion"] == 1


def test_dashboards_are_not_part_of_the_package() -> None:
    """What is installed on a director has no use for them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]

    assert settings["packages"]["find"]["include"] == ["lvs_agent*"]
