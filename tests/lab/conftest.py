"""The setting of the scenarios: a client, a director with the agent, two real servers and a sorry server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.lab.agent import Agent
from tests.lab.net import VIP, VIP6, Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A client, a director that has both virtual addresses, two real servers and a third one as sorry server."""
    with Cluster(servers=3, directory=tmp_path) as cluster:
        cluster.director.add_address(VIP, VIP6)
        yield cluster


PORTS_A_TEST = 4_000
"""Ports of the client for each test: none is reused within the minutes in which the kernel remembers connections."""


@pytest.fixture(scope="module")
def first_port() -> Iterator[int]:
    """Where the ports of each test of a module begin."""
    return count(4_096, PORTS_A_TEST)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three real servers that serve both virtual addresses directly, made once for a module: it takes seconds."""
    with Cluster(servers=3, directory=tmp_path_factory.mktemp("servers")) as cluster:
        cluster.director.add_address(VIP, VIP6)
        for server in cluster.servers:
            server.accept_direct(VIP, VIP6)
            server.serve()
        yield cluster


@pytest.fixture
def restored(network: Cluster, first_port: Iterator[int]) -> Iterator[Cluster]:
    """That network as it was at the beginning: all servers work, the table is empty, and nothing else runs.

    Connections outlive the table: a client that came from a port of an earlier test would be sent to the server that
    it had then.
    """
    first = next(first_port)
    network.client.sysctl("net/ipv4/ip_local_port_range", f"{first} {first + PORTS_A_TEST - 1}")
    for server in network.servers:
        server.recover()
    yield network
    for host in (network.client, network.director):
        host.close()
    network.director.run("ipvsadm", "-C")


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Agent:
    """The agent on the director, not yet started."""
    return Agent(cluster.director, tmp_path)
