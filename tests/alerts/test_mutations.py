"""No number, comparison, operator or time of a rule can be changed without a test that fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.alerts.mutants import Mutant, mutants_of
from tests.alerts.promql import tokens
from tests.alerts.rules import (
    ALERTS,
    ALL_RULES,
    RECORDED_TESTS,
    RECORDS,
    RULES_FILE,
    Rule,
    recorded_for,
    tool,
    unit_tests_of,
)

AT_ONCE = 2

_NO_SUCH_MEAN = (
    "1 - x is a multiple of 2**-53 for every x from 0.5 to 1, and the limit is not one, so they never are equal"
)
EQUIVALENT = {
    (f"LVSServiceErrorBudgetBurn-{severity}", change): _NO_SUCH_MEAN
    for severity in ("critical", "warning")
    for change in ("> -> >=", "> -> >= (2)")
}
"""Mutants that no test can tell from their rules, each with the reason."""


def noticing(original: Rule) -> list[tuple[Path, list[Rule]]]:
    """The files with tests that may notice a change of ``original``, each with the rules that it needs."""
    users = [rule for rule in ALERTS if rule is original or original in recorded_for(rule)]
    found = []
    for name in dict.fromkeys(rule.name for rule in users):
        alerts = [rule for rule in ALERTS if rule.name == name]
        needed = [*alerts, *(record for rule in alerts for record in recorded_for(rule))]
        found.append((unit_tests_of(name), [rule for rule in ALL_RULES if rule in needed]))
    return found if original.is_alert else [*found, (RECORDED_TESTS, list(RECORDS))]


def write_tests(mutant: Mutant, original: Rule, folder: Path) -> list[Path]:
    """The tests that may notice the mutant, on rules with it in the place of its original."""
    folder.mkdir()
    files = []
    for tests, needed in noticing(original):
        rules = folder / f"{tests.name}.rules.yml"
        sources = [dict((mutant.rule if rule is original else rule).source) for rule in needed]
        rules.write_text(json.dumps({"groups": [{"name": "mutant", "rules": sources}]}), encoding="utf-8")
        text = tests.read_text(encoding="utf-8")
        files.append(folder / tests.name)
        files[-1].write_text(text.replace(f"../../alerts/{RULES_FILE.name}", rules.name), encoding="utf-8")
    return files


def noticed(tests: Sequence[Path]) -> set[Path]:
    """The files among ``tests`` with a test that fails, as promtool tells of many in one run."""
    told = tool("promtool", "test", "rules", *tests).stdout.split("Unit Testing:")[1:]
    verdicts = {Path(lines.split("\n", 1)[0].strip()): lines for lines in told}
    assert verdicts.keys() == set(tests)
    assert all("alertname:" in lines or "expr:" in lines for lines in verdicts.values() if "FAILED" in lines), told
    return {path for path, lines in verdicts.items() if "FAILED" in lines}


def survivors_of(rule: Rule, folder: Path) -> list[str]:
    """The mutants of ``rule`` that no test notices."""
    mutants = list(mutants_of(rule))
    tests = {mutant: write_tests(mutant, rule, folder / str(number)) for number, mutant in enumerate(mutants)}
    files = [path for paths in tests.values() for path in paths]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = set().union(*pool.map(noticed, filter(None, (files[part::AT_ONCE] for part in range(AT_ONCE)))))
    return [mutant.change for mutant, paths in tests.items() if failed.isdisjoint(paths)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.label)
def test_every_change_of_a_rule_is_noticed(rule: Rule, tmp_path: Path) -> None:
    """A mutant that survives is listed with the reason why it is none, and nothing else is listed."""
    listed = [change for label, change in EQUIVALENT if label == rule.label]

    assert sorted(survivors_of(rule, tmp_path)) == sorted(listed)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.label)
def test_pieces_of_an_expression_are_all_of_it(rule: Rule) -> None:
    """Nothing is lost where mutants are made."""
    assert "".join(token.text for token in tokens(rule.expr)) == rule.expr


def test_every_rule_has_mutants() -> None:
    """So that none is left out because it is written in a way that nobody thought of."""
    assert [rule.label for rule in ALL_RULES if not list(mutants_of(rule))] == []
