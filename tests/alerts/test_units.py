"""Each alert fires when it should, with exactly these labels and words, is silent just below, and ends.

Ranges of Prometheus 3 leave out the sample at their beginning, those of 2 do not: no test rests on it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.alerts.rules import ALERT_NAMES, ALERTS, HERE, RECORDED_TESTS, RULES_FILE, load_yaml, tool, unit_tests_of


@pytest.mark.parametrize("tests", [*map(unit_tests_of, ALERT_NAMES), RECORDED_TESTS], ids=lambda path: path.name)
def test_rules_do_what_their_tests_say(tests: Path) -> None:
    """By the judgement of promtool, on series that are written down in the file named after the alert."""
    run = tool("promtool", "test", "rules", tests)

    assert run.returncode == 0, run.stdout


def test_every_test_file_is_that_of_an_alert() -> None:
    """Tests of an alert that is gone test nothing, and each looks at the rules that are shipped."""
    files = sorted(HERE.glob("*.test.yml"))

    assert set(files) == {*map(unit_tests_of, ALERT_NAMES), RECORDED_TESTS}
    assert {(path.parent / rules).resolve() for path in files for rules in load_yaml(path)["rule_files"]} == {
        RULES_FILE
    }


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_alert_is_seen_firing_and_silent(alert: str) -> None:
    """In each severity that it has; promtool itself would take a file that never expects anything."""
    expected = [
        test["exp_alerts"]
        for case in load_yaml(unit_tests_of(alert))["tests"]
        for test in case.get("alert_rule_test", ())
    ]
    severities = {found["exp_labels"]["severity"] for alerts in expected for found in alerts}

    assert severities == {rule.severity for rule in ALERTS if rule.name == alert}
    assert [] in expected


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_labels_in_the_description_are_labels_of_the_alert(alert: str) -> None:
    """One that does not exist would be written as nothing at all."""
    cases = load_yaml(unit_tests_of(alert))["tests"]
    fired = [
        set(found["exp_labels"])
        for case in cases
        for test in case.get("alert_rule_test", ())
        for found in test["exp_alerts"]
    ]
    used = {
        label
        for rule in ALERTS
        if rule.name == alert
        for text in rule.annotations.values()
        for label in re.findall(r"\$labels\.(\w+)", text)
    }

    assert used <= set.intersection(*fired)
