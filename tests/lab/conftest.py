"""The setting of the scenarios: a client, a director with the agent, two real servers and a sorry server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.agent import Agent
from tests.lab.net import VIP, VIP6, Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A client, a director that owns both virtual addresses, two real servers and a third one to say sorry."""
    with Cluster(servers=3, directory=tmp_path) as cluster:
        for address in (VIP, VIP6):
            cluster.director.add_address(address)
        yield cluster


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Agent:
    """The agent on the director, not yet started."""
    return Agent(cluster.director, tmp_path)
