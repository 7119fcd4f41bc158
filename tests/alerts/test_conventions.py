"""What all rules have in common, and what they say about metrics that there are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lvs_agent.metrics.metric import Kind as MetricKind
from lvs_agent.metrics.metric import Metric
from lvs_agent.metrics.table import METRICS
from tests.alerts.promql import Kind, selected, tokens
from tests.alerts.rules import (
    ALERTS,
    ALL_RULES,
    RECORDS,
    ROOT,
    RULES_FILE,
    Rule,
    load_yaml,
    recorded_for,
    seconds,
    tool,
)

SCRAPE_S = 15
SOON = {"LVSServiceDown", "LVSServiceSorryServerActive"}
"""Alerts that may not wait for a second scrape to say the same."""

SUFFIXES = {MetricKind.SUMMARY: ("_sum", "_count"), MetricKind.HISTOGRAM: ("_sum", "_count", "_bucket")}
NOT_OURS = {
    "up": set[str](),
    "process_start_time_seconds": set[str](),
    "ALERTS": {"alertname", "alertstate", "severity", "virtual_service"},
}
"""What Prometheus and its client library add, without labels of their own."""

each_rule = pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.label)
each_alert = pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.label)


def series_of(metric: Metric) -> dict[str, set[str]]:
    """The names of the series of a metric, with their labels."""
    labels = set(metric.labels)
    return {
        f"{metric.name}{suffix}": labels | ({"le"} if suffix == "_bucket" else set())
        for suffix in SUFFIXES.get(metric.kind, ("",))
    }


SERIES = {name: labels for metric in METRICS for name, labels in series_of(metric).items()} | NOT_OURS
LABELS = {"job", "instance"}.union(*SERIES.values())


@pytest.mark.parametrize("options", [(), ("--lint=all", "--lint-fatal")], ids=["syntax", "lint"])
def test_prometheus_takes_the_file(options: tuple[str, ...]) -> None:
    """By the judgement of its own tool."""
    run = tool("promtool", "check", "rules", *options, RULES_FILE)

    assert run.returncode == 0, run.stdout
    assert f"{len(ALL_RULES)} rules found" in run.stdout


@each_alert
def test_alert_says_how_bad_it_is_and_what_to_do(rule: Rule) -> None:
    """A severity of the three, a sentence that is always the same, one with the particulars, and a runbook."""
    said = rule.annotations

    assert re.fullmatch(r"LVS(?:[A-Z][a-z]*)+", rule.name)
    assert rule.source["labels"].keys() == {"severity"}
    assert rule.severity in {"critical", "warning", "info"}
    assert said.keys() == {"summary", "description", "runbook_url"}
    assert "{{" not in said["summary"]
    assert "{{ $labels." in said["description"]
    assert all(said[key].endswith((".", "?")) for key in ("summary", "description"))


@each_alert
def test_alert_outlives_a_single_scrape(rule: Rule) -> None:
    """What is true at one scrape alone is not told of: there is a time to wait, or a range of time to look at."""
    hold = seconds(rule.source.get("for", "0s"))
    looked_at = "".join([rule.expr, *(record.expr for record in recorded_for(rule))])

    assert hold >= 2 * SCRAPE_S or (rule.name in SOON and hold == SCRAPE_S) or (hold == 0 and "[" in looked_at)
    assert "absent(" not in rule.expr or hold > 0


@each_rule
def test_ranges_hold_several_scrapes(rule: Rule) -> None:
    """A rate needs two samples, also where a scrape has failed; rates are those of counters."""
    pieces = list(tokens(rule.expr))
    ranges = [seconds(piece.text.strip("[]")) for piece in pieces if piece.kind is Kind.RANGE]
    rated = re.findall(r"\b(?:rate|increase)\((\w+)", rule.expr)

    assert all(length >= 4 * SCRAPE_S for length in ranges)
    assert [name for name in rated if not name.endswith(("_total", "_sum", "_count", "_bucket"))] == []
    assert len(rated) == len(re.findall(r"\b(?:rate|increase)\(", rule.expr))


@each_rule
def test_labels_of_the_target_are_kept(rule: Rule) -> None:
    """Aggregations name what they drop, and matching names what it rests on."""
    names = [piece.text for piece in tokens(rule.expr) if piece.kind is Kind.NAME]
    on = [set(re.findall(r"\w+", labels)) for labels in re.findall(r"\bon \(([^)]*)\)", rule.expr)]

    assert {"by", "ignoring", "topk", "bottomk"}.isdisjoint(names)
    assert all({"job", "instance"} <= labels <= LABELS for labels in on)


@each_rule
def test_metrics_and_their_labels_exist(rule: Rule) -> None:
    """Every series is one of ours with the one selector that names the job, or is recorded here."""
    metrics = dict(selected(rule.expr))
    recorded = {record.name for record in RECORDS}
    named = {
        piece.text
        for piece in tokens(rule.expr)
        if piece.kind is Kind.NAME and piece.text.startswith(("lvs_", "virtual_service:", "real_server:", "instance:"))
    }

    assert named - recorded <= metrics.keys() <= SERIES.keys()
    assert all(labels.pop("job") == "lvs_agent" for labels in metrics.values())
    assert {name: labels for name, labels in metrics.items() if not labels.keys() <= SERIES[name]} == {}


@pytest.mark.parametrize("rule", RECORDS, ids=lambda rule: rule.label)
def test_recorded_series_are_named_by_level_metric_and_operation(rule: Rule) -> None:
    """As Prometheus asks for it; each is used by an alert of its own group, where it has been evaluated before."""
    level, metric, operation = rule.name.split(":")
    users = [alert for alert in ALERTS if rule in recorded_for(alert)]

    assert level in {"virtual_service", "real_server", "instance"}
    assert re.fullmatch(r"[a-z0-9_]+", operation)
    assert any(name.startswith(metric.partition("_per_")[0]) for name in SERIES)
    assert users
    assert {alert.group for alert in users} == {rule.group}
    assert all(ALL_RULES.index(rule) < ALL_RULES.index(alert) for alert in users)


def test_groups_are_evaluated_as_often_as_agents_are_scraped() -> None:
    """Whatever the evaluation interval of Prometheus is: the delays in docs/alerting.md rest on it."""
    assert {seconds(group["interval"]) for group in load_yaml(RULES_FILE)["groups"]} == {SCRAPE_S}


def test_dead_mans_switch_is_there_to_be_taken(tmp_path: Path) -> None:
    """Without its comment signs it is a rule like the others."""
    text = RULES_FILE.read_text(encoding="utf-8")
    switched_on = re.sub(r"^  # (?=(?:-|  ))", "  ", text, flags=re.MULTILINE)
    path = tmp_path / "rules.yml"
    path.write_text(switched_on, encoding="utf-8")

    run = tool("promtool", "check", "rules", path)

    assert run.returncode == 0, run.stdout
    assert load_yaml(path)["groups"][-1]["rules"][0]["alert"] == "Watchdog"
    assert f"{len(ALL_RULES) + 1} rules found" in run.stdout


def test_job_and_address_of_runbooks_are_changed_in_one_place(tmp_path: Path) -> None:
    """``make alerts`` writes the file for another job and with the address of one's own runbooks."""
    run = subprocess.run(
        ["make", "-s", "alerts", "JOB=lvs", "RUNBOOKS=https://wiki.example.com/lvs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    path = tmp_path / "rules.yml"
    path.write_text(run.stdout, encoding="utf-8")
    written = [rule for group in load_yaml(path)["groups"] for rule in group["rules"]]

    assert tool("promtool", "check", "rules", path).returncode == 0
    assert [labels["job"] for rule in written for _, labels in selected(rule["expr"])] == [
        "lvs" for rule in ALL_RULES for _ in selected(rule.expr)
    ]
    assert [rule["annotations"]["runbook_url"] for rule in written if "alert" in rule] == [
        f"https://wiki.example.com/lvs/{rule.name}.md" for rule in ALERTS
    ]
