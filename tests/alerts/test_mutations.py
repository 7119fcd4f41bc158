"""No number, comparison, operator or time of a rule can be changed without a test that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.mutants import Mutant, mutants_of
from tests.alerts.promql import tokens
from tests.alerts.rules import (
    ALERTS,
    ALL_RULES,
    RECORDED_TESTS,
    RECORDS,
    Rule,
    load_yaml,
    recorded_for,
    tool,
    unit_tests_of,
)

AT_ONCE = 2
NAMING = ("alert", "record", "expr")
"""The keys of a rule in which it, or another one, is named."""

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


@dataclass(frozen=True, slots=True)
class Names:
    """Names for what the rules ``needed`` by a file of tests raise and record, so that it can be there many times."""

    needed: Sequence[Rule]

    def given_to(self, number: int, text: str) -> str:
        """A name, an expression or a series, with those of the mutant with this number instead of the usual."""
        names = "|".join(sorted({re.escape(rule.name) for rule in self.needed}))
        return re.sub(rf"\b(?:{names})\b", lambda found: f"{found[0]}_mutant{number}", text)

    def rules(self, number: int, *, mutant: Mutant, original: Rule) -> Iterator[dict[str, Any]]:
        """The sources of the rules with ``mutant`` instead of its original."""
        for rule in self.needed:
            source = (mutant.rule if rule is original else rule).source
            yield {**source, **{key: self.given_to(number, source[key]) for key in NAMING if key in source}}

    def alert_test(self, number: int, test: dict[str, Any]) -> dict[str, Any]:
        """What is expected of an alert."""
        return test | {"alertname": self.given_to(number, test["alertname"])}

    def expression_test(self, number: int, test: dict[str, Any]) -> dict[str, Any]:
        """What is expected of an expression."""
        samples = [one | {"labels": self.given_to(number, one["labels"])} for one in test.get("exp_samples", ())]
        return test | {"expr": self.given_to(number, test["expr"]), "exp_samples": samples}


def write_tests(mutants: Sequence[Mutant], original: Rule, folder: Path) -> list[Path]:
    """The tests that may notice the mutants, on the rules with each of them instead of its original.

    Every mutant has a copy of the rules in a group of its own, under names of its own, and what a test expects it
    expects of each.  So promtool sets a test up once for all of them.
    """
    files = []
    numbers = range(len(mutants))
    for tests, needed in noticing(original):
        names = Names(needed)
        groups = [
            {"name": f"rules{n}", "rules": list(names.rules(n, mutant=mutants[n], original=original))} for n in numbers
        ]
        rules = folder / f"{tests.name}.rules.yml"
        rules.write_text(json.dumps({"groups": groups}), encoding="utf-8")
        document = load_yaml(tests) | {"rule_files": [rules.name]}
        for case in document["tests"]:
            alerts, expressions = case.get("alert_rule_test", ()), case.get("promql_expr_test", ())
            case["alert_rule_test"] = [names.alert_test(n, test) for n in numbers for test in alerts]
            case["promql_expr_test"] = [names.expression_test(n, test) for n in numbers for test in expressions]
        files.append(folder / tests.name)
        files[-1].write_text(json.dumps(document), encoding="utf-8")
    return files


def noticed(tests: Path) -> set[int]:
    """The numbers of the mutants of which promtool tells that a test fails."""
    told = tool("promtool", "test", "rules", tests)
    failures = re.findall(r"^ *(?:alertname|expr): .*_mutant(\d+)\b.*, time: ", told.stdout, re.MULTILINE)
    # Whatever else may fail would not be the word of a test about one mutant.
    assert len(failures) == len(re.findall(r"^ *got:", told.stdout, re.MULTILINE)), told.stdout
    assert (told.returncode == 0) is (not failures), told.stdout
    assert " err: " not in told.stdout, told.stdout
    return set(map(int, failures))


def survivors_of(rule: Rule, folder: Path) -> list[str]:
    """The mutants of ``rule`` that no test notices; the rule itself, which is put in among them, must be one."""
    mutants = [Mutant("", rule), *mutants_of(rule)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = set().union(*pool.map(noticed, write_tests(mutants, rule, folder)))
    assert 0 not in found
    return [mutant.change for number, mutant in enumerate(mutants) if number and number not in found]


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
