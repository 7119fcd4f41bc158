"""Alertmanager writes to those whom ldirectord wrote to: the plan, and what Alertmanager's own tool makes of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lvs_agent.ldirectord.convert.alertmanager import NOBODY, MailPlan, Receiver, Route, mail_plan
from lvs_agent.ldirectord.convert.yaml import to_yaml
from lvs_agent.ldirectord.reader import AlertSettings
from tests.alerts.rules import ROOT, load_yaml

ALL = frozenset({"starting", "running", "stopping", "reloading"})
WEB, SHOP, DNS = "tcp/192.0.2.1:80", "the shop's", "fwm/3/inet"


def asked(
    service: str,
    *recipients: str,
    every: int = 3_600,
    statuses: frozenset[str] = ALL,
    sender: str | None = "lvs@example.org",
    smtp: str | None = "mail.example.org",
) -> AlertSettings:
    """What the file asks for one service."""
    return AlertSettings(
        virtual_service=service,
        recipients=recipients,
        frequency_s=every,
        statuses=statuses,
        sender=sender,
        smtp=smtp,
    )


def plan(*alerts: AlertSettings, others: tuple[str, ...] = ()) -> MailPlan:
    """The plan for ``alerts``, with ``others`` among the services for which nobody asked anything."""
    return mail_plan(alerts, services=[*(each.virtual_service for each in alerts), *others])


def test_fault_44_every_recipient_gets_a_mail_of_his_own() -> None:
    """Several recipients were one address that no server takes; now one that is refused does not stop the others."""
    (receiver,) = plan(asked(WEB, "a@example.org", "b@example.org")).receivers

    assert receiver.to == ("a@example.org", "b@example.org")


def test_what_most_services_ask_for_is_the_default() -> None:
    """The global emailalert needs no route; the alerts about the agent itself go there too."""
    made = plan(asked(WEB, "a@example.org"), asked(SHOP, "b@example.org"), asked(DNS, "a@example.org"))

    assert (made.default.receiver, made.default.repeat_interval) == ("a@example.org", "1h")
    assert [(route.virtual_service, route.receiver) for route in made.routes] == [(SHOP, "b@example.org")]


def test_service_that_nobody_is_told_of_stays_so() -> None:
    """Without emailalert, and with a status that excludes the usual course of things."""
    made = plan(
        asked(WEB, "a@example.org"),
        asked(SHOP, "a@example.org", statuses=frozenset()),
        asked("x", "a@example.org", statuses=frozenset({"starting"})),
        others=(DNS,),
    )

    assert [(route.virtual_service, route.receiver) for route in made.routes] == [
        (SHOP, NOBODY),
        ("x", NOBODY),
        (DNS, NOBODY),
    ]
    assert "emailalertstatus=starting" in made.routes[1].remarks[0]


@pytest.mark.parametrize(
    ("every", "repeat", "group", "remark"),
    [
        pytest.param(3_600, "1h", None, "emailalertfreq=3600", id="an hour"),
        pytest.param(90, "2m", None, "emailalertfreq=90, rounded up to whole minutes (group_interval)", id="rounded"),
        pytest.param(10, "10s", "10s", "emailalertfreq=10", id="more often than Alertmanager looks by default"),
        pytest.param(0, "30d", None, "emailalertfreq=0: reminders cannot be switched off, so they come", id="never"),
        pytest.param(864_000, "10d", None, "emailalertfreq=864000; start Alertmanager with a", id="beyond its memory"),
    ],
)
def test_reminders_come_as_often_as_asked(every: int, repeat: str, group: str | None, remark: str) -> None:
    """As near as Alertmanager can, and where that is not quite it, a remark says so."""
    default = plan(asked(WEB, "a@example.org", every=every)).default

    assert (default.repeat_interval, default.group_interval) == (repeat, group)
    assert default.remarks[0].startswith(remark)


def test_phases_have_no_meaning_for_alerts() -> None:
    """Who wanted mails in some phases only gets them in all, and reads why."""
    default = plan(asked(WEB, "a@example.org", statuses=frozenset({"running", "stopping"}))).default

    assert default.receiver == "a@example.org"
    assert (
        "emailalertstatus=running, stopping: an alert is about a state, and is sent in every phase" in default.remarks
    )


def test_what_the_file_leaves_open_is_said() -> None:
    """The mail server of this machine, a sender and a domain are assumed."""
    made = plan(asked(WEB, "root", sender=None, smtp=None))

    assert (made.server, made.sender) == ("localhost:25", "lvs-agent@localhost")
    assert made.receivers == (
        Receiver(name="root@localhost", to=("root@localhost",), server=made.server, sender=made.sender),
    )
    assert len(made.remarks) == 3


def test_same_people_over_another_server_are_another_receiver() -> None:
    """A service may have a mail server of its own."""
    made = plan(asked(WEB, "a@example.org"), asked(SHOP, "a@example.org", smtp="relay.example.net"))

    assert [(each.name, each.server) for each in made.receivers] == [
        ("a@example.org", "mail.example.org:25"),
        ("a@example.org-2", "relay.example.net:25"),
    ]


def test_nobody_asked_for_anything() -> None:
    """A file without emailalert makes a configuration that tells nobody."""
    made = plan(others=(WEB,))

    assert (made.default, made.receivers) == (Route(virtual_service=None, receiver=NOBODY), ())


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1) | st.sampled_from([WEB, 'a"b\\c', "{x}", "#"])
SETTINGS = st.builds(
    asked,
    NAMES,
    st.sampled_from(["a@example.org", "root", "Ops <ops@example.org>"]),
    every=st.integers(0, 10**6),
    statuses=st.sets(st.sampled_from(sorted(ALL))).map(frozenset),
    smtp=st.sampled_from([None, "mail.example.org"]),
    sender=st.sampled_from([None, "lvs"]),
)


@settings(max_examples=30)
@given(st.lists(SETTINGS, max_size=4, unique_by=lambda each: each.virtual_service), st.text())
def test_yaml_says_what_the_plan_says(alerts: list[AlertSettings], file: str) -> None:
    """Every route and receiver, whatever letters their names are made of, and however strange the file's name is."""
    made = plan(*alerts)
    written = YAML(typ="safe").load(to_yaml(made, file=file))

    assert written["route"]["receiver"] == made.default.receiver
    assert [each["receiver"] for each in written["route"]["routes"][2:]] == [each.receiver for each in made.routes]
    assert [[mail["to"] for mail in each["email_configs"]] for each in written["receivers"][1:]] == [
        list(each.to) for each in made.receivers
    ]
    assert all(mail["send_resolved"] for each in written["receivers"][1:] for mail in each["email_configs"])


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Alertmanager's tool."""
    program = shutil.which("amtool")
    if program is None:
        pytest.skip("amtool is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture(name="config", scope="module")
def fixture_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with everything in it."""
    made = plan(
        asked(WEB, "a@example.org", "root", every=0),
        asked(SHOP, "b@example.org", every=90, smtp=None, sender=None),
        asked(DNS, "a@example.org", "root", every=0),
        asked('a "quoted" \\ name', "b@example.org", every=10),
        asked("tcp/[2001:db8::1]:443", "b@example.org", statuses=frozenset()),
        others=("quiet",),
    )
    path = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yml"
    path.write_text(to_yaml(made, file="ldirectord.cf"), encoding="utf-8")
    return path


def test_alertmanager_takes_the_file(config: Path) -> None:
    """By its own judgement."""
    checked = amtool("check-config", str(config))

    assert checked.returncode == 0, checked.stderr
    assert "SUCCESS" in checked.stdout


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        pytest.param({"virtual_service": WEB}, "a@example.org+root@localhost", id="global"),
        pytest.param({"virtual_service": DNS}, "a@example.org+root@localhost", id="global once more"),
        pytest.param({"virtual_service": SHOP}, "b@example.org", id="own recipients"),
        pytest.param(
            {"virtual_service": '"a \\"quoted\\" \\\\ name"'}, "b@example.org-2", id="quoted name, own server"
        ),
        pytest.param({"virtual_service": "tcp/[2001:db8::1]:443"}, NOBODY, id="no status"),
        pytest.param({"virtual_service": "quiet"}, NOBODY, id="no emailalert"),
        pytest.param({"alertname": "LVSAgentDown"}, "a@example.org+root@localhost", id="the agent itself"),
        pytest.param({"alertname": "Watchdog"}, NOBODY, id="heartbeat"),
        pytest.param({"virtual_service": WEB, "severity": "info"}, NOBODY, id="too small for a mail"),
    ],
)
def test_alert_of_each_service_reaches_its_people(config: Path, labels: dict[str, str], receiver: str) -> None:
    """As Alertmanager itself routes it."""
    given = {"alertname": "LVSRealServerDown", "severity": "warning", **labels}
    routed = amtool(
        "config",
        "routes",
        "test",
        f"--config.file={config}",
        f"--verify.receivers={receiver}",
        *(f"{name}={value}" for name, value in given.items()),
    )

    assert routed.returncode == 0, routed.stdout + routed.stderr


def test_converted_mail_settings_hold_back_the_same() -> None:
    """Who comes from ldirectord gets the same rules, and the same waits."""
    written = YAML(typ="safe").load(to_yaml(mail_plan([], services=[]), file="ldirectord.cf"))
    example = load_yaml(ROOT / "alerts/alertmanager.example.yml")

    assert written["inhibit_rules"] == example["inhibit_rules"]
    for wait in ("group_by", "group_wait", "group_interval"):
        assert written["route"][wait] == example["route"][wait]
