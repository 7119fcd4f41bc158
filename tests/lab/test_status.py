"""The status on a real kernel: the traffic that is forwarded now, and why a server is not in the table."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.lab.agent import Agent, until
from tests.lab.net import VIP, Cluster

pytestmark = pytest.mark.ipvs

WEB = f"""
[[virtual_service]]
name = "web"
address = "{VIP}"
port = 80
scheduler = "wrr"
check = {{ type = "http", path = "/test.html", interval = "1s", timeout = "1s", rise = 2, fall = 1 }}
[[virtual_service.real_server]]
address = "10.0.0.1"
[[virtual_service.real_server]]
address = "10.0.0.2"
"""


@pytest.fixture
def serving(cluster: Cluster, agent: Agent) -> Cluster:
    """Two real servers, one up and one down, and an agent that knows their health."""
    for server in cluster.servers[:2]:
        server.accept_direct(VIP)
        server.serve()
    cluster.servers[1].server.stop()
    agent.configure(WEB)
    agent.start()
    until(lambda: len(cluster.director.table()) == 2, what="the dead server is not in the table")
    return cluster


def service(agent: Agent) -> dict[str, Any]:
    """The service as the status has it."""
    found: dict[str, Any] = agent.status()["services"][0]
    return found


def rates_of(agent: Agent) -> tuple[int, int]:
    """Connections of the service and bytes of its server that is up, each second."""
    web = service(agent)
    return web["rates"]["connections_per_s"], web["real_servers"][0]["rates"]["incoming_bytes_per_s"]


def why(cluster: Cluster, *arguments: str) -> str:
    """What ``lvs-agent why`` prints on the director, each gap one space."""
    return " ".join(cluster.director.run(sys.executable, "-m", "lvs_agent", "why", *arguments).split())


def test_rates_are_what_the_kernel_forwards_now(serving: Cluster, agent: Agent) -> None:
    """Of the service and of its one server, while it estimates; nothing is claimed when it does not."""
    with serving.client.load(f"http://{VIP}/name", rate=40):
        # The kernel estimates each row at a time of its own, every two seconds.
        until(lambda: all(rates_of(agent)), what="there are rates of the service and of its server")
        told = service(agent)
    serving.director.sysctl("net/ipv4/vs/run_estimation", 0)
    until(lambda: service(agent)["rates"] is None, what="rates are no longer told")

    assert told["rates"]["incoming_packets_per_s"] >= told["rates"]["connections_per_s"]
    assert told["real_servers"][1]["rates"] is None
    assert service(agent)["real_servers"][0]["rates"] is None
    assert service(agent)["connections"] is not None


def test_why_follows_a_server_out_of_the_table_and_back(serving: Cluster, agent: Agent) -> None:
    """Down: what its check says and what must happen; somebody else's row: that it goes; up again: nothing to do."""
    down = why(serving, "web", "10.0.0.2")
    serving.servers[1].server.start()
    until(lambda: len(serving.director.table()) == 3, what="the server is back in the table")
    back = why(serving, "web")
    everything = json.loads(serving.director.run(sys.executable, "-m", "lvs_agent", "why", VIP, "--json"))

    assert "web tcp/" in down
    assert "10.0.0.2:80 · down · removed" in down
    assert "http on 10.0.0.2:80 says down: the last run," in down
    assert "failed with refused" in down
    assert "table It should have no row in the table. The kernel has no row for it." in down
    assert "more success" in down
    assert back.endswith("2 real servers are up, in service and as they should be: 10.0.0.1:80, 10.0.0.2:80")
    assert [server["settled"] for server in everything["servers"]] == [True, True]
