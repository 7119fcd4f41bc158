"""The guide to alerting says what the files say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lvs_agent.config import ServerDetail
from lvs_agent.metrics.selection import is_shown
from lvs_agent.metrics.table import METRICS
from tests.alerts.promql import Kind, tokens
from tests.alerts.rules import ALERT_NAMES, ALERTS, ROOT, Rule, load_yaml, recorded_for, seconds, tool
from tests.alerts.test_conventions import series_of

GUIDE = (ROOT / "docs/alerting.md").read_text(encoding="utf-8")
EXAMPLE = load_yaml(ROOT / "alerts/alertmanager.example.yml")


def section(title: str) -> str:
    """The part of the guide below a heading."""
    return re.split(r"^#+ ", GUIDE.partition(f" {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def alerts_in(text: str) -> set[str]:
    """The alerts that a text names."""
    return set(re.findall(r"\bLVS[A-Z]\w+", text))


def needs(rule: Rule) -> set[str]:
    """The series that a rule looks at, also by way of what is recorded."""
    looked_at = [rule.expr, *(record.expr for record in recorded_for(rule))]
    return {token.text for expr in looked_at for token in tokens(expr) if token.kind is Kind.NAME}


def test_alerts_that_the_guide_names_exist() -> None:
    """Nobody waits for one that nothing raises."""
    assert alerts_in(GUIDE) <= set(ALERT_NAMES)


@pytest.mark.parametrize("number", [0, 1])
def test_prometheus_takes_the_examples(number: int, tmp_path: Path) -> None:
    """By the judgement of its own tool."""
    path = tmp_path / "prometheus.yml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[number], encoding="utf-8")

    run = tool("promtool", "check", "config", "--syntax-only", path)

    assert run.returncode == 0, run.stdout


def test_route_that_the_guide_shows_is_that_of_the_example() -> None:
    """The command has the output that is printed below it."""
    found = re.search(r"^\$ amtool config routes test --config.file=\S+ (.+)\n(.+)$", GUIDE, re.MULTILINE)
    assert found is not None
    options = (f"--config.file={ROOT / 'alerts/alertmanager.example.yml'}", f"--verify.receivers={found[2]}")

    assert tool("amtool", "config", "routes", "test", *options, *found[1].split()).returncode == 0


@pytest.mark.parametrize("detail", ServerDetail, ids=lambda detail: detail.value)
def test_alerts_without_their_metrics_are_named(detail: ServerDetail) -> None:
    """Where the configuration leaves metrics of servers out, the guide says which rules go with them."""
    hidden = {name for metric in METRICS if not is_shown(metric, detail) for name in series_of(metric)}
    rows = dict(re.findall(r'^\| `"(\w+)"` \| (.+) \|$', section("Metrics that are left out"), re.MULTILINE))
    told = alerts_in(rows[detail.value]) | (alerts_in(rows["state"]) if detail is ServerDetail.OFF else set())

    assert {rule.name for rule in ALERTS if needs(rule) & hidden} == told


def test_alerts_of_an_active_agent_are_named() -> None:
    """Those that an agent which only observes does not raise."""
    silent = alerts_in(section("An agent that only observes"))

    assert silent == {rule.name for rule in ALERTS if "lvs_agent_active" in needs(rule)}


def test_what_is_held_back_is_told() -> None:
    """Every rule of the example, in the order of the example."""
    rows = re.findall(r"^\| (.+) \| (.+) \|$", section("What is held back"), re.MULTILINE)
    told = [(alerts_in(source), alerts_in(target)) for source, target in rows if alerts_in(source)]

    assert told == [rule for rule in map(_named_in, EXAMPLE["inhibit_rules"]) if rule[0]]


def _named_in(rule: dict[str, list[str]]) -> tuple[set[str], set[str]]:
    """The alerts that a rule of the example names as sources and as targets; none where it means all."""
    source, target = (" ".join(m for m in rule[f"{side}_matchers"] if "!=" not in m) for side in ("source", "target"))
    return alerts_in(source), alerts_in(target)


@pytest.mark.parametrize("name", ["LVSServiceDown", "LVSRealServerDown"])
def test_delays_add_up(name: str) -> None:
    """From the times of the rules and of the example."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| .*\|$", section("How long it takes"), re.MULTILINE)
    column = {row[0]: row[1 + (name == "LVSRealServerDown")].strip("*") for row in rows}
    rule = next(rule for rule in ALERTS if rule.name == name)
    fixed = seconds(rule.source["for"]) + seconds(EXAMPLE["route"]["group_wait"])

    assert column["`for`, up to the evaluation after it"] == f"{seconds(rule.source['for']):g} s"
    assert column["other alerts of the group, other directors"] == f"{seconds(EXAMPLE['route']['group_wait']):g} s"
    assert column["**after the check has noticed**"] == f"{fixed:g}–{fixed + 30:g} s"  # noqa: RUF001 - from to
