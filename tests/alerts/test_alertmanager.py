"""The example for Alertmanager: who is notified of what, and what is inhibited."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from tests.alerts.rules import ALERT_NAMES, ALERTS, ROOT, load_yaml, tool, unit_tests_of

EXAMPLE = ROOT / "alerts/alertmanager.example.yml"
RULES = load_yaml(EXAMPLE)["inhibit_rules"]


def matches(matchers: list[str], labels: dict[str, str]) -> bool:
    """Whether an alert with ``labels`` is meant, as Alertmanager reads matchers: regular expressions are anchored."""
    for matcher in matchers:
        found = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher)
        assert found is not None, matcher
        name, operator, value = found.groups()
        is_meant = re.fullmatch(value, labels.get(name, "")) if "~" in operator else labels.get(name, "") == value
        if bool(is_meant) is operator.startswith("!"):
            return False
    return True


def holds_back(source: dict[str, str], target: dict[str, str]) -> bool:
    """Whether ``target`` notifies nobody while ``source`` fires."""
    return any(
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], target)
        and all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
        for rule in RULES
    )


def alert(name: str, severity: str = "", **labels: str) -> dict[str, str]:
    """The labels of an alert of the first director, about one server, unless ``labels`` say otherwise."""
    told = severity or next(rule.severity for rule in ALERTS if rule.name == name)
    about = {"instance": "d1:9659", "virtual_service": "web", "real_server": "10.0.0.1:80", **labels}
    return {"alertname": name, "severity": told, **{label: value for label, value in about.items() if value}}


def test_alertmanager_takes_the_file() -> None:
    """By its own judgement."""
    checked = tool("amtool", "check-config", EXAMPLE)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        pytest.param("alertname=Watchdog severity=none", "heartbeat", id="heartbeat"),
        pytest.param("alertname=LVSRealServerBounced severity=info", "nobody", id="for the record"),
        pytest.param("alertname=LVSRealServerBounced severity=info notify=a@example.org", "nobody", id="for nobody"),
        pytest.param("alertname=LVSServiceDown severity=critical", "pager,ops", id="cannot wait"),
        pytest.param(
            "alertname=LVSServiceDown severity=critical notify=a@example.org", "pager,by_label", id="own recipients"
        ),
        pytest.param("alertname=LVSRealServerDown severity=warning", "ops", id="can wait"),
        pytest.param("alertname=LVSRealServerDown severity=warning notify=a@example.org", "by_label", id="can, own"),
        pytest.param("alertname=LVSAgentDown severity=critical", "pager,ops", id="the agent itself"),
    ],
)
def test_alert_reaches_its_people(labels: str, receivers: str) -> None:
    """As Alertmanager itself routes it."""
    options = (f"--config.file={EXAMPLE}", f"--verify.receivers={receivers}")
    routed = tool("amtool", "config", "routes", "test", *options, *labels.split())

    assert routed.returncode == 0, routed.stdout


def test_nobody_is_told_of_the_same_thing_twice() -> None:
    """A service that is down says it for its servers; two directors are two messages only where they disagree."""
    down = alert("LVSServiceDown", real_server="")

    assert holds_back(down, alert("LVSRealServerDown"))
    assert holds_back(down, alert("LVSServiceBelowQuorum", real_server=""))
    assert holds_back(down, alert("LVSServiceErrorBudgetBurn", "warning", real_server=""))
    assert not holds_back(down, alert("LVSRealServerDown", virtual_service="other"))
    assert not holds_back(down, alert("LVSRealServerDown", instance="d2:9659"))
    assert holds_back(down, alert("LVSServiceSorryServerActive", real_server=""))
    assert not holds_back(down, alert("LVSServiceSorryServerActive", virtual_service="other", real_server=""))
    assert not holds_back(alert("LVSRealServerDown"), down)


def test_agent_that_is_down_says_nothing_else() -> None:
    """But the other one does, and what concerns both."""
    down = alert("LVSAgentDown", virtual_service="", real_server="")

    for name in ALERT_NAMES:
        assert holds_back(down, alert(name)) is (name != "LVSAgentDown")
    assert not holds_back(down, alert("LVSServiceDown", instance="d2:9659"))
    assert not holds_back(down, alert("LVSAgentConfigMismatch", instance="", virtual_service="", real_server=""))
    assert not holds_back(down, {"alertname": "Watchdog", "severity": "none", "instance": "d1:9659"})


def test_server_that_flaps_is_one_message() -> None:
    """Its single changes are held back, those of others are not."""
    flaps = alert("LVSRealServerFlapping")

    assert holds_back(flaps, alert("LVSRealServerDown"))
    assert not holds_back(flaps, alert("LVSRealServerDown", real_server="10.0.0.2:80"))


@pytest.mark.parametrize("name", sorted({rule.name for rule in ALERTS if rule.severity == "critical"}))
def test_graver_form_of_an_alert_is_enough(name: str) -> None:
    """The warning of the same server is held back, but not that of another one, and never the other way round."""
    critical, warning = alert(name, "critical"), alert(name, "warning")

    assert holds_back(critical, warning)
    assert not holds_back(warning, critical)
    assert not holds_back(critical, alert(name, "warning", real_server="10.0.0.2:80"))


def test_rounds_that_do_not_work_say_it_for_what_follows() -> None:
    """The table is out of sync because nothing repairs it."""
    stale = alert("LVSAgentReconcileStale", virtual_service="", real_server="")

    assert holds_back(stale, alert("LVSTableDrift", real_server=""))
    assert holds_back(stale, alert("LVSRealServerWeightWrong"))
    assert holds_back(stale, alert("LVSAgentReconcileFailing", virtual_service="", real_server=""))
    assert holds_back(alert("LVSTableDrift", real_server=""), alert("LVSRealServerWeightWrong"))
    assert not holds_back(
        alert("LVSTableDrift", real_server=""), alert("LVSRealServerWeightWrong", virtual_service="b")
    )


@pytest.mark.parametrize(
    "name", ["LVSAgentIPVSErrors", "LVSAgentReconcileFailing", "LVSAgentConfigReloadFailed", "LVSSorryCommandFailed"]
)
def test_errors_with_an_alert_of_their_own_are_not_told_of_again(name: str) -> None:
    """They stand in the log as well."""
    logged = alert("LVSAgentErrorsLogged", virtual_service="", real_server="")

    assert holds_back(alert(name), logged)
    assert not holds_back(alert(name, instance="d2:9659"), logged)


def test_alerts_that_are_named_exist() -> None:
    """And have the labels that must be equal, or lack them on both sides by intention."""
    named = set(re.findall(r"\bLVS[A-Z]\w+", EXAMPLE.read_text(encoding="utf-8")))

    assert named <= set(ALERT_NAMES)


@pytest.mark.parametrize("rule", [rule for rule in RULES if "alertname" not in rule["equal"]], ids=str)
def test_sources_have_the_labels_that_must_be_equal(rule: dict[str, list[str]]) -> None:
    """A label that a source never has would be equal to that of every target without it."""
    sources = [name for name in ALERT_NAMES if matches(rule["source_matchers"], {"alertname": name})]
    fired = chain.from_iterable(
        test["exp_alerts"]
        for name in sources
        for case in load_yaml(unit_tests_of(name))["tests"]
        for test in case.get("alert_rule_test", ())
    )

    assert sources
    assert all(set(rule["equal"]) <= found["exp_labels"].keys() for found in fired)
