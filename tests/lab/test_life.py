"""Starts, stops, crashes and reloads under load: clients of the virtual service never notice them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.lab.agent import Agent, until
from tests.lab.hosts import Load
from tests.lab.net import VIP, Cluster
from tests.process.family import runner_of, starter_of, worker_of, workers_of

pytestmark = pytest.mark.ipvs

WEB = f"""
[[virtual_service]]
name = "web"
address = "{VIP}"
port = 80
scheduler = "wrr"
check = {{ type = "http", path = "/test.html", interval = "1s", timeout = "1s", rise = 1, fall = 1 }}
[[virtual_service.real_server]]
address = "10.0.0.1"
[[virtual_service.real_server]]
address = "10.0.0.2"
weight = 3
[[virtual_service.real_server]]
address = "10.0.0.3"
"""

BY_PROGRAM = f"""
[[virtual_service]]
name = "by program"
address = "{VIP}"
port = 81
check = {{ type = "command", command = ["/bin/sleep", "0.1"], interval = "1s", timeout = "3s", rise = 1, fall = 1 }}
[[virtual_service.real_server]]
address = "10.0.0.1"
"""
CHECKS_DONE = "lvs_real_server_check_duration_seconds_count"
STOPPED_S = 7.0
"""Longer than a worker may say nothing."""


@pytest.fixture
def cluster(restored: Cluster) -> Cluster:
    """The same hosts for all tests."""
    return restored


@pytest.fixture
def serving(cluster: Cluster, agent: Agent) -> Cluster:
    """Three real servers, two up and one down, and an agent that knows their health."""
    cluster.servers[2].server.stop()
    agent.configure(WEB)
    agent.start()
    until(lambda: len(cluster.director.table()) == 3, what="the dead server is not in the table")
    return cluster


@contextmanager
def load(cluster: Cluster) -> Iterator[Load]:
    """Forty requests a second throughout the block, and a second more."""
    with cluster.client.load(f"http://{VIP}/name", rate=40) as load:
        time.sleep(0.5)
        yield load
        time.sleep(1.0)


def assert_undisturbed(load: Load) -> None:
    """Many requests, all of them answered, and none by the dead server."""
    assert load.failures == []
    assert set(load.served) == {"rs1", "rs2"}
    assert sum(load.served.values()) > 50


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGKILL, id="kill -9"), pytest.param(signal.SIGTERM, id="SIGTERM")]
)
def test_end_and_restart_are_not_noticed(serving: Cluster, agent: Agent, number: signal.Signals) -> None:
    """However it ends, the table stays; the next start adopts it without a single write."""
    table = serving.director.table()
    with renewed_rows(serving) as renewed, load(serving) as requests:
        before = len(agent.operations())
        status, seconds = agent.stop(number)
        time.sleep(1.0)
        assert serving.director.table() == table
        agent.start()
        until(lambda: agent.server("10.0.0.3:80")["health"] == "down", what="the dead server is known again")

    assert_undisturbed(requests)
    assert (len(agent.operations()), renewed) == (before, [])
    assert serving.director.table() == table
    if number is signal.SIGTERM:
        assert status == 0
        assert seconds < 2.0


def lose_worker(agent: Agent, number: signal.Signals) -> None:
    """It is replaced."""
    lost = worker_of(agent.pid)
    os.kill(lost, number)
    until(lambda: workers_of(agent.pid) not in ([], [lost]), what="there is another worker")


def lose_runner(agent: Agent, number: signal.Signals) -> None:
    """It is replaced."""
    lost = runner_of(agent.pid)
    assert lost is not None
    os.kill(lost, number)
    until(lambda: runner_of(agent.pid) not in {None, lost}, what="there is another runner")


def lose_starter(agent: Agent, number: signal.Signals) -> None:
    """The agent ends with it, and is started again as by a service manager."""
    os.kill(starter_of(agent.pid), number)
    until(lambda: not agent.is_running, what="the agent has ended")
    agent.start()


def lose_time(agent: Agent, number: signal.Signals) -> None:
    """The agent goes on after a while with the same processes."""
    family = agent.pid, starter_of(agent.pid), worker_of(agent.pid), runner_of(agent.pid)
    agent.send(number)
    time.sleep(STOPPED_S)
    agent.send(signal.SIGCONT)
    time.sleep(1.0)
    assert family == (agent.pid, starter_of(agent.pid), worker_of(agent.pid), runner_of(agent.pid))


@pytest.mark.parametrize(
    ("lose", "number"),
    [
        pytest.param(lose_worker, signal.SIGKILL, id="worker dies"),
        pytest.param(lose_worker, signal.SIGSTOP, id="worker hangs"),
        pytest.param(lose_runner, signal.SIGKILL, id="runner dies"),
        pytest.param(lose_runner, signal.SIGSTOP, id="runner hangs"),
        pytest.param(lose_starter, signal.SIGKILL, id="starter dies"),
        pytest.param(lose_starter, signal.SIGSTOP, id="starter hangs"),
        pytest.param(lose_time, signal.SIGSTOP, id="agent is stopped for a while"),
    ],
)
def test_loss_of_a_process_is_not_noticed(
    serving: Cluster, agent: Agent, lose: Callable[[Agent, signal.Signals], None], number: signal.Signals
) -> None:
    """No request fails and nothing is written, whichever process dies or hangs."""
    agent.reload(WEB + BY_PROGRAM)
    table = serving.director.table()
    with renewed_rows(serving) as renewed, load(serving) as requests:
        before = len(agent.operations())
        lose(agent, number)
        done = agent.metric(CHECKS_DONE)
        until(lambda: agent.metric(CHECKS_DONE) > done + 4, what="checks are made again")

    assert_undisturbed(requests)
    assert (agent.operations()[before:], renewed) == ([], [])
    assert serving.director.table() == table
    assert agent.server("10.0.0.3:80")["health"] == "down"


def test_reload_each_second_is_not_noticed(serving: Cluster, agent: Agent) -> None:
    """SIGHUP each second moves no timer, changes no health, resets no counter and writes nothing."""
    done = agent.metric(CHECKS_DONE)
    began = time.monotonic()
    with renewed_rows(serving) as renewed, load(serving) as requests:
        for _ in range(8):
            agent.send(signal.SIGHUP)
            time.sleep(1.0)
        until(lambda: agent.metric("lvs_agent_config_reloads_total") >= 8, what="every reload was made")
        checks = agent.metric(CHECKS_DONE) - done
        elapsed = time.monotonic() - began

    assert_undisturbed(requests)
    assert renewed == []
    assert agent.metric("lvs_real_server_transitions_total") == 0
    assert checks == pytest.approx(3 * elapsed, abs=4)


def test_start_keeps_a_quiesced_server_quiesced(serving: Cluster, agent: Agent) -> None:
    """A server at weight 0 stays there across a restart until its checks say up, not a moment less."""
    agent.stop()
    agent.configure(WEB.replace('scheduler = "wrr"', 'scheduler = "wrr"\non_down = "quiesce"'))
    agent.start()
    until(lambda: any("10.0.0.3:80 -g -w 0" in line for line in serving.director.table()), what="it is at weight 0")
    agent.stop(signal.SIGKILL)

    with load(serving) as requests:
        agent.start()
        time.sleep(1.0)

    assert_undisturbed(requests)
    assert not any(one.get("real_server") == "10.0.0.3:80" and one.get("weight") for one in agent.operations())


def test_readers_and_writers_of_the_table_do_not_disturb_each_other(serving: Cluster, agent: Agent) -> None:
    """Scrapes in a row while servers fail and recover leave every round and every scrape whole."""
    stop = threading.Event()
    scraped = []

    def scrape() -> None:
        while not stop.is_set():
            scraped.append(agent.metric("lvs_agent_collector_success", collector="netlink"))

    reader = threading.Thread(target=scrape)
    reader.start()
    try:
        for _ in range(2):
            serving.servers[0].server.stop()
            until(lambda: len(serving.director.table()) == 2, what="it left")
            serving.servers[0].server.start()
            until(lambda: len(serving.director.table()) == 3, what="it came back")
    finally:
        stop.set()
        reader.join()

    assert set(scraped) == {1.0}
    assert agent.metric("lvs_agent_reconcile_errors_total") == 0


def test_what_has_happened_is_told_in_order_and_again_after_a_restart(serving: Cluster, agent: Agent) -> None:
    """A row deleted by hand, a server that fails and recovers: each event with the repair after its cause.

    The next process shows the same events.
    """
    start = agent.history()[-1]["number"]
    serving.director.run("ipvsadm", "-d", "-t", f"{VIP}:80", "-r", "10.0.0.2:80")
    until(lambda: len(serving.director.table()) == 3, what="the row is back")
    serving.servers[0].server.stop()
    until(lambda: len(serving.director.table()) == 2, what="the dead server left")
    serving.servers[0].server.start()
    until(lambda: len(serving.director.table()) == 3, what="it came back")
    until(lambda: len(agent.history(f"?after={start}")) >= 6, what="every event is recorded")
    told = agent.history(f"?after={start}")
    agent.stop()
    agent.start()
    until(lambda: agent.history()[0]["number"] == 1, what="the new process has read what the old one left")

    assert [(entry["kind"], entry["real_server"], entry["facts"].get("operation")) for entry in told] == [
        ("table_changed_by_others", "10.0.0.2:80", None),
        ("operation_applied", "10.0.0.2:80", "add_destination"),
        ("real_server_down", "10.0.0.1:80", None),
        ("operation_applied", "10.0.0.1:80", "delete_destination"),
        ("real_server_up", "10.0.0.1:80", None),
        ("operation_applied", "10.0.0.1:80", "add_destination"),
    ]
    assert told[0]["text"] == "another program has deleted 10.0.0.2:80 of web in the table"
    assert agent.history(f"?after={start}&limit=6") == told
    since = [entry["kind"] for entry in agent.history(f"?after={told[-1]['number']}")]
    assert since == ["stopped", "started"]


@contextmanager
def renewed_rows(cluster: Cluster) -> Iterator[list[str]]:
    """The rows of the table that were made anew within the block: they have lost the connections they had counted."""
    before = _counted(cluster)
    found: list[str] = []
    yield found
    after = _counted(cluster)
    found += [row for row, connections in before.items() if after.get(row, -1) < connections]


def _counted(cluster: Cluster) -> dict[str, int]:
    """The connections that each row of the table has counted."""
    lines = cluster.director.run("ipvsadm", "-L", "-n", "--stats", "--exact").splitlines()
    rows = [line.split() for line in lines if "->" in line and line.split()[-1].isdigit()]
    return {row[1]: int(row[2]) for row in rows}
