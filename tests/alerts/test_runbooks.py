"""Each alert leads to a page that says what to do, and the page does not say more than there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lvs_agent.cli.main import cli
from lvs_agent.model.event import EventKind
from tests.alerts.promql import Kind, tokens
from tests.alerts.rules import ALERT_NAMES, ALERTS, ROOT, RULES_FILE, RUNBOOKS, Rule, tool
from tests.alerts.test_conventions import SERIES

BASE = "https://example.org/lvs-agent/runbooks"
WATCHDOG = "Watchdog"
PAGES = (*ALERT_NAMES, WATCHDOG)
SECTIONS = ["What it means", "What users feel", "How to look", "What to do", "When to silence"]

each_page = pytest.mark.parametrize("name", PAGES)


def page(name: str) -> str:
    """The text of a runbook."""
    return (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")


def fenced(text: str, language: str) -> str:
    """Everything in the blocks of one language."""
    return "".join(re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def in_words(rule: Rule) -> str:
    """How bad an alert is and how long it waits, as a page says it."""
    wait = f"after {rule.source['for']}" if "for" in rule.source else "at once"
    kept = f", kept for {rule.source['keep_firing_for']}" if "keep_firing_for" in rule.source else ""
    return f"{rule.severity}, {wait}{kept}"


def test_pages_are_those_of_the_alerts() -> None:
    """None is missing, and none is left of an alert that is gone."""
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {*PAGES, "README"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.label)
def test_alert_leads_to_its_page(rule: Rule) -> None:
    """At the one address that ``make alerts`` changes."""
    assert rule.annotations["runbook_url"] == f"{BASE}/{rule.name}.md"


def test_address_of_the_pages_is_said_where_it_is_changed() -> None:
    """In the Makefile as what is replaced, and at the head of the rules."""
    head = RULES_FILE.read_text(encoding="utf-8").partition("groups:")[0]

    assert BASE in head
    assert f"RUNBOOKS ?= {BASE}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


@each_page
def test_page_has_all_that_somebody_woken_up_needs(name: str) -> None:
    """The same sections in the same order, none of them empty, and a command or a query to begin with."""
    text = page(name)
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)

    assert text.startswith(f"# {name}\n")
    assert parts[1::2] == SECTIONS
    assert all(part.strip() for part in parts[2::2])
    assert fenced(text, "console") + fenced(text, "promql")


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_page_says_what_the_rule_says(name: str) -> None:
    """Summary, severity and times, so that a rule is not changed without its page."""
    rules = [rule for rule in ALERTS if rule.name == name]

    assert [rule.annotations["summary"] for rule in rules] == re.findall(r"^\*\*(.+?)\*\*", page(name), re.MULTILINE)
    assert f"\n*{'; '.join(map(in_words, rules))}*\n" in page(name)


@pytest.mark.parametrize("name", [*PAGES, "README", "../alerting"])
def test_links_lead_somewhere(name: str) -> None:
    """To files of the repository."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page(name))

    assert [link for link in links if "://" not in link and not (RUNBOOKS / name).parent.joinpath(link).is_file()] == []


@each_page
def test_commands_can_be_given(name: str) -> None:
    """Every command of lvs-agent exists with its options, and every kind of event is one."""
    given = re.findall(r"^[#$] lvs-agent (\S+)([^|#\n]*)", fenced(page(name), "console"), re.MULTILINE)

    for command, arguments in given:
        found = cli.get_command(cli.make_context("lvs-agent", [command]), command)
        assert found is not None, command
        options = {option for parameter in found.params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", arguments)) <= options, command
        assert set(re.findall(r"--kind (\w+)", arguments)) <= {kind.value for kind in EventKind}


@each_page
def test_queries_can_be_asked(name: str, tmp_path: Path) -> None:
    """Prometheus takes each of them, and the metrics exist."""
    queries = re.sub(r"\n  +", " ", fenced(page(name), "promql")).splitlines()
    names = {piece.text for query in queries for piece in tokens(query) if piece.kind is Kind.NAME}
    path = tmp_path / "queries.yml"
    rules = [{"record": f"query:number:{number}", "expr": query} for number, query in enumerate(queries)]
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump({"groups": [{"name": "queries", "rules": rules}]}, stream)

    assert {metric for metric in names if metric.startswith("lvs_")} <= SERIES.keys()
    assert tool("promtool", "check", "rules", path).returncode == 0


def test_index_has_every_page() -> None:
    """With the severities and the summary of its alert."""
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| ([\w, ]+) \| (.+) \|$", page("README"), re.MULTILINE)
    summaries = {rule.name: rule.annotations["summary"] for rule in reversed(ALERTS)}
    severities = {name: {rule.severity for rule in ALERTS if rule.name == name} for name in ALERT_NAMES}

    assert [name for name, *_ in rows] == [file for _, file, *_ in rows] == list(PAGES)
    assert {name: said for name, _, _, said in rows if name != WATCHDOG} == summaries
    assert {name: set(said.split(", ")) for name, _, said, _ in rows if name != WATCHDOG} == severities
