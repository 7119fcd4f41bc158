"""Changes to the table: every attribute that the agent changes, and every change by others."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.agent import Agent, until
from tests.lab.net import VIP, VIP6, Cluster

pytestmark = pytest.mark.ipvs

PERIOD_S = 3.0
"""Reconcile interval in these tests; what the outline shows is repaired within a second."""
ALWAYS_UP = 'check = { type = "none" }'


class Change(NamedTuple):
    """A configuration before and after (lines of the service, lines of its server), and what must be in the table."""

    service: str
    server: str
    new_service: str
    new_server: str
    shown: str


def attribute(  # noqa: D103 - a row of the table below
    name: str,
    *,
    service: str = "",
    server: str = "",
    new_service: str | None = None,
    new_server: str | None = None,
    shown: str,
) -> object:
    return pytest.param(
        Change(
            service,
            server,
            service if new_service is None else new_service,
            server if new_server is None else new_server,
            shown,
        ),
        id=name,
    )


TCP = f'address = "{VIP}"\nport = 80\n'
UDP = TCP + 'protocol = "udp"\n'
TUNNEL = 'forwarding = "tunnel"\n'
SERVICE_ATTRIBUTES = [
    attribute("scheduler", service=TCP, new_service=TCP + 'scheduler = "sed"', shown=f"-A -t {VIP}:80 -s sed"),
    attribute(
        "scheduler flags",
        service=TCP + 'scheduler = "sh"',
        new_service=TCP + 'scheduler = "sh"\nscheduler_flags = ["sh-port", "sh-fallback"]',
        shown=f"-A -t {VIP}:80 -s sh -b sh-fallback,sh-port",
    ),
    attribute(
        "persistence",
        service=TCP,
        new_service=TCP + 'persistence = { timeout = "5m" }',
        shown=f"-A -t {VIP}:80 -s wlc -p 300",
    ),
    attribute(
        "persistence timeout",
        service=TCP + 'persistence = { timeout = "5m" }',
        new_service=TCP + 'persistence = { timeout = "301s" }',
        shown=f"-A -t {VIP}:80 -s wlc -p 301",
    ),
    attribute(
        "persistence netmask",
        service=TCP + 'persistence = { timeout = "5m" }',
        new_service=TCP + 'persistence = { timeout = "5m", netmask = "255.255.255.0" }',
        shown=f"-A -t {VIP}:80 -s wlc -p 300 -M 255.255.255.0",
    ),
    attribute(
        "persistence prefix length of IPv6",
        service=f'address = "{VIP6}"\nport = 80\npersistence = {{ timeout = "5m" }}',
        server='address = "2001:db8::1"',
        new_service=f'address = "{VIP6}"\nport = 80\npersistence = {{ timeout = "5m", prefix_length = 64 }}',
        shown=f"-A -t [{VIP6}]:80 -s wlc -p 300 -M 64",
    ),
    attribute(
        "persistence engine",
        service=UDP + 'persistence = { timeout = "5m" }',
        new_service=UDP + 'persistence = { timeout = "5m", engine = "sip" }',
        shown=f"-A -u {VIP}:80 -s wlc -p 300 --pe sip",
    ),
    attribute("one packet", service=UDP, new_service=UDP + "one_packet = true", shown=f"-A -u {VIP}:80 -s wlc -o"),
]
DESTINATION_ATTRIBUTES = [
    attribute("weight", service=TCP, new_server="weight = 7", shown=f"-a -t {VIP}:80 -r 10.0.0.1:80 -g -w 7"),
    attribute("weight 0", service=TCP, new_server="weight = 0", shown=f"-a -t {VIP}:80 -r 10.0.0.1:80 -g -w 0"),
    attribute(
        "forwarding",
        service=TCP,
        new_server='forwarding = "masquerade"',
        shown=f"-a -t {VIP}:80 -r 10.0.0.1:80 -m -w 1",
    ),
    attribute(
        "tunnel",
        service=TCP,
        new_server=TUNNEL,
        shown=f"-a -t {VIP}:80 -r 10.0.0.1:80 -i -w 1 --tun-type ipip",
    ),
    attribute(
        "tunnel type and port",
        service=TCP,
        server=TUNNEL,
        new_server=TUNNEL + 'tunnel = { type = "gue", port = 6080 }',
        shown=f"-a -t {VIP}:80 -r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
    ),
    attribute(
        "tunnel port",
        service=TCP,
        server=TUNNEL + 'tunnel = { type = "gue", port = 6080 }',
        new_server=TUNNEL + 'tunnel = { type = "gue", port = 6081 }',
        shown=f"-a -t {VIP}:80 -r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-nocsum",
    ),
    attribute(
        "tunnel checksum",
        service=TCP,
        server=TUNNEL + 'tunnel = { type = "gre" }',
        new_server=TUNNEL + 'tunnel = { type = "gre", checksum = "csum" }',
        shown=f"-a -t {VIP}:80 -r 10.0.0.1:80 -i -w 1 --tun-type gre --tun-csum",
    ),
    attribute("upper threshold", service=TCP, new_server="upper_threshold = 50", shown="10.0.0.1:80 50 0"),
    attribute(
        "lower threshold",
        service=TCP,
        server="upper_threshold = 50",
        new_server="upper_threshold = 50\nlower_threshold = 40",
        shown="10.0.0.1:80 50 40",
    ),
]


def configuration(service: str, server: str) -> str:
    """One virtual service with one real server that needs no check."""
    address = "" if "address" in server else 'address = "10.0.0.1"\n'
    real_server = f"[[virtual_service.real_server]]\n{address}{server}\n"
    return f'[[virtual_service]]\nname = "it"\n{service}\n{ALWAYS_UP}\n{real_server}'


def shown(cluster: Cluster) -> list[str]:
    """What ipvsadm says of the table: its rules, and each destination with its upper and lower threshold."""
    thresholds = cluster.director.run("ipvsadm", "-L", "-n", "--thresholds")
    rows = re.findall(r"->\s+(\S+:\d+)\s+(\d+)\s+(\d+)", thresholds)
    return [*cluster.director.table(), *(" ".join(row) for row in rows)]


class Bench(NamedTuple):
    """One agent for all the cases that a running one can take."""

    cluster: Cluster
    agent: Agent


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A director whose agent runs, with nothing configured yet."""
    directory = tmp_path_factory.mktemp("bench")
    with Cluster(servers=0, directory=directory) as cluster:
        agent = Agent(cluster.director, directory)
        agent.configure("", reconcile_interval=f"{PERIOD_S:g}s")
        agent.start()
        yield Bench(cluster, agent)


@pytest.mark.parametrize("change", [*SERVICE_ATTRIBUTES, *DESTINATION_ATTRIBUTES])
def test_changed_attribute_is_one_operation(bench: Bench, change: Change) -> None:
    """A changed attribute is exactly one update of its row, ipvsadm shows it, and changing it back is one more."""
    cluster, agent = bench
    before, after = configuration(change.service, change.server), configuration(change.new_service, change.new_server)
    agent.reload(before)
    assert change.shown not in shown(cluster)
    first = shown(cluster)
    done = len(agent.operations())

    agent.reload(after)
    assert [one["operation"].partition("_")[0] for one in agent.operations()[done:]] == ["update"]
    assert change.shown in shown(cluster)

    agent.reload(before)
    assert len(agent.operations()) == done + 2
    assert shown(cluster) == first


FOREIGN = "10.1.0.200:80"
OWNED = f"""
[[virtual_service]]
name = "web"
address = "{VIP}"
port = 80
{ALWAYS_UP}
[[virtual_service.real_server]]
address = "10.0.0.1"
upper_threshold = 50
[[virtual_service.real_server]]
address = "10.0.0.2"
weight = 3
[[virtual_service]]
name = "marked"
fwmark = 10
{ALWAYS_UP}
[[virtual_service.real_server]]
address = "10.0.0.1"
"""
EDITS = [
    pytest.param(["-C"], 2, id="everything cleared"),
    pytest.param(["-D", "-t", f"{VIP}:80"], 1, id="service deleted"),
    pytest.param(["-E", "-t", f"{VIP}:80", "-s", "rr"], 1, id="service changed"),
    pytest.param(["-d", "-t", f"{VIP}:80", "-r", "10.0.0.1:80"], 1, id="destination deleted"),
    pytest.param(["-a", "-f", "10", "-r", "10.0.0.9", "-g"], 1, id="foreign destination in an owned service"),
    pytest.param(["-e", "-t", f"{VIP}:80", "-r", "10.0.0.2:80", "-g", "-w", "77"], 1, id="weight changed"),
    pytest.param(["-e", "-t", f"{VIP}:80", "-r", "10.0.0.2:80", "-m", "-w", "3"], 1, id="forwarding changed"),
    pytest.param(
        ["-e", "-t", f"{VIP}:80", "-r", "10.0.0.1:80", "-g", "-w", "1", "-x", "60"], 1, id="threshold changed"
    ),
]


@pytest.mark.parametrize(("edit", "entries"), EDITS)
def test_edit_by_hand_is_put_right_and_counted(bench: Bench, edit: list[str], entries: int) -> None:
    """Any change by others to owned rows is repaired within the period; foreign rows are left alone."""
    cluster, agent = bench
    agent.reload(OWNED)
    repaired = agent.metric("lvs_agent_drift_repairs_total")
    right = without_foreign(shown(cluster))
    cluster.director.run("ipvsadm", "-A", "-t", FOREIGN, "-s", "lc")
    cluster.director.run("ipvsadm", "-a", "-t", FOREIGN, "-r", "10.0.0.7:80", "-m", "-w", "9")
    try:
        cluster.director.run("ipvsadm", *edit)

        until(
            lambda: without_foreign(shown(cluster)) == right, what="the table is in sync again", within_s=PERIOD_S + 2.0
        )
        until(
            lambda: agent.metric("lvs_agent_drift_repairs_total") == repaired + entries,
            what="each entry is counted once",
        )
        assert agent.metric("lvs_virtual_service_drift_entries") == 0
        if edit != ["-C"]:
            assert f"-a -t {FOREIGN} -r 10.0.0.7:80 -m -w 9" in cluster.director.table()
            until(
                lambda: agent.metric("lvs_real_server_weight", virtual_service=f"tcp/{FOREIGN}") == 9,
                what="the foreign service is exported",
            )
    finally:
        cluster.director.run("ipvsadm", "-D", "-t", FOREIGN, check=False)


def without_foreign(lines: list[str]) -> list[str]:
    """The lines that have nothing to do with the foreign service."""
    return [line for line in lines if FOREIGN not in line and not line.startswith("10.0.0.7:")]


def test_service_that_left_the_configuration_while_nobody_ran_is_deleted(
    cluster: Cluster, agent: Agent, tmp_path: Path
) -> None:
    """What an earlier run owned and the configuration no longer names goes; without memory it would be foreign."""
    agent.configure(OWNED)
    agent.start()
    agent.stop()
    assert "-A -f 10 -s wlc" in cluster.director.table()

    agent.configure(OWNED.partition('[[virtual_service]]\nname = "marked"')[0])
    plan = cluster.director.run(sys.executable, "-m", "lvs_agent", "plan", "--config", agent.path, "--json")
    assert json.loads(plan)["operations"] == [{"operation": "delete_service", "virtual_service": "fwm/10/inet"}]
    agent.start()

    assert all("-f 10" not in line for line in cluster.director.table())
    assert f"-A -t {VIP}:80 -s wlc" in cluster.director.table()
    assert (tmp_path / "state" / "state.json").exists()


def test_dry_run_plans_and_writes_nothing(cluster: Cluster, agent: Agent) -> None:
    """A dry run shows its plan in the log, in the API and in the metrics, and changes nothing."""
    cluster.director.run("ipvsadm", "-A", "-t", f"{VIP}:80", "-s", "rr")
    before = cluster.director.table()
    agent.configure(OWNED)
    agent.start("--dry-run", ready=False)

    until(lambda: len(agent.events("operation_planned")) >= 5, what="the plan is recorded")
    until(lambda: agent.metric("lvs_virtual_service_drift_entries") > 0, what="the metrics tell it too")
    assert cluster.director.table() == before
    assert agent.operations() == []
    assert agent.metric("lvs_agent_active") == 0
    assert agent.status()["agent"]["writes"] is False


def test_stop_leaves_or_removes_as_configured(cluster: Cluster, agent: Agent) -> None:
    """A stop keeps the table, unless it is to be removed; a foreign service stays in both cases."""
    cluster.director.run("ipvsadm", "-A", "-t", FOREIGN, "-s", "lc")
    agent.configure(OWNED)
    agent.start()
    right = shown(cluster)
    agent.stop()
    assert shown(cluster) == right

    agent.configure(OWNED, on_stop="remove")
    agent.start()
    status, seconds = agent.stop()

    assert (status, cluster.director.table()) == (0, [f"-A -t {FOREIGN} -s lc"])
    assert seconds < 2.0
