"""``lvs-agent run --observe``: a table that somebody else makes, exported in full and left alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.agent import PORT, Agent, until
from tests.lab.hosts import Host
from tests.lab.listing import Row, exported, listed, named_rows, samples, scrape
from tests.lab.net import VIP, VIP6, Cluster

pytestmark = pytest.mark.ipvs

TABLE = f"""
-A -t {VIP}:80 -s wrr
-a -t {VIP}:80 -r 10.0.0.1:80 -g -w 3
-a -t {VIP}:80 -r 10.0.0.2:8080 -m -w 0 -x 500 -y 400
-A -t [{VIP6}]:443 -s sh -p 300
-a -t [{VIP6}]:443 -r [2001:db8::1]:443 -m -w 1
-A -u {VIP}:53 -s rr -o
-a -u {VIP}:53 -r 10.0.0.1:53 -i -w 1
-A --sctp-service {VIP}:5000 -s lc
-a --sctp-service {VIP}:5000 -r 10.0.0.2:5000 -m -w 5
-A -f 10 -s nq
-a -f 10 -r 10.0.0.1:0 -g -w 7
-A -f 11 -6 -s wlc
-a -f 11 -6 -r [2001:db8::2]:0 -g -w 2
-A -t {VIP}:9999 -s rr
"""
"""A service of every kind, one of them without a destination."""
ONE_CAPABILITY = ("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", "--")
"""Root's files, and nothing of root's power but this."""


class Observed(NamedTuple):
    """A director with a foreign table and an exporter."""

    director: Host
    before: str


@pytest.fixture
def observed(cluster: Cluster, tmp_path: Path) -> Observed:
    """The exporter, without any configuration, has begun to serve."""
    director = cluster.director
    director.run("ipvsadm", "-R", text=TABLE)
    before = director.run("ipvsadm", "-S", "-n")
    command = (*ONE_CAPABILITY, sys.executable, "-m", "lvs_agent", "run", "--observe", "--listen", f"127.0.0.1:{PORT}")
    with (tmp_path / "exporter.log").open("w") as log:
        director.start(*command, stderr=log.fileno())
    until(lambda: is_ready(director), what="the exporter is ready")
    return Observed(director, before)


def is_ready(director: Host) -> bool:
    """Whether it says so."""
    try:
        return director.get(f"http://127.0.0.1:{PORT}/readyz").status == 200
    except OSError:
        return False


def value(director: Host, name: str) -> float:
    """A sample without labels."""
    return float(next(sample.text for sample in samples(scrape(director)) if sample.name == name))


def rows(director: Host) -> set[Row]:
    """The rows that /metrics tells of."""
    return set(named_rows(samples(scrape(director))).values())


def test_foreign_table_is_exported_in_full_and_left_alone(observed: Observed) -> None:
    """TCP, UDP, SCTP and marks of both families; weights as ipvsadm prints them; changes are in the next scrape."""
    director, before = observed
    kernel = listed(director)
    page = samples(scrape(director))

    assert set(named_rows(page).values()) == set(kernel)
    assert len(kernel) == 14
    weights = exported(page, ["weight"])
    assert {row: figures["weight"] for row, figures in weights.items() if row.server} == {
        row: words[1] for row, words in kernel.items() if row.server
    }
    assert value(director, "lvs_agent_active") == 0

    director.run("ipvsadm", "-a", "-t", f"{VIP}:9999", "-r", "10.0.0.1:9999", "-m")
    director.run("ipvsadm", "-D", "-f", "10")
    until(lambda: rows(director) == set(listed(director)), what="the changes are exported")
    director.run("ipvsadm", "-d", "-t", f"{VIP}:9999", "-r", "10.0.0.1:9999")
    director.run("ipvsadm", "-A", "-f", "10", "-s", "nq")
    director.run("ipvsadm", "-a", "-f", "10", "-r", "10.0.0.1:0", "-g", "-w", "7")
    until(lambda: rows(director) == set(kernel), what="the table is as it was")

    assert sorted(director.run("ipvsadm", "-S", "-n").splitlines()) == sorted(before.splitlines())


def test_configuration_without_services_only_exports(cluster: Cluster, agent: Agent) -> None:
    """An agent that may write, and has nothing of its own, leaves the table alone and says that it is not active."""
    director = cluster.director
    director.run("ipvsadm", "-R", text=TABLE)
    before = director.table()
    agent.configure("", reconcile_interval="200ms")
    agent.start()
    until(lambda: agent.status()["reconcile"]["rounds"] > 3, what="some rounds")

    assert director.table() == before
    assert rows(director) == set(listed(director))
    assert agent.metric("lvs_agent_active") == 0
    assert agent.operations() == []


def test_services_of_the_configuration_are_left_out_of_account(cluster: Cluster, agent: Agent, tmp_path: Path) -> None:
    """Neither made nor checked nor missed, not even one that an earlier run has owned; nothing is kept on disk."""
    service = f'[[virtual_service]]\naddress = "{VIP}"\nport = 80\ncheck = {{ type = "none" }}\n'
    server = '[[virtual_service.real_server]]\naddress = "10.0.0.1"\n'
    agent.configure(service + server, reconcile_interval="200ms")
    agent.start()
    agent.stop()
    kept = {path: path.read_bytes() for path in (tmp_path / "state").iterdir()}
    cluster.director.run("ipvsadm", "-E", "-t", f"{VIP}:80", "-s", "rr")
    changed = cluster.director.table()

    agent.start("--observe")
    until(lambda: agent.status()["reconcile"]["rounds"] > 3, what="some rounds")

    status = agent.status()
    assert (status["services"], status["reconcile"]["drift"], status["agent"]["writes"]) == ([], [], False)
    assert [foreign["key"] for foreign in status["foreign_services"]] == [f"tcp/{VIP}:80"]
    agent.stop()
    assert cluster.director.table() == changed
    assert {path: path.read_bytes() for path in (tmp_path / "state").iterdir()} == kept
