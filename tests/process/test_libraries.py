"""Client libraries of checks, seen from outside: which are missing, and when they are loaded."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.process.agent import Agent
from tests.process.conftest import ConfigFile, StartAgent, StartServers
from tests.process.family import worker_of

PGSQL = """
[[virtual_service]]
name = "database"
address = "192.0.2.2"
port = 5432
forwarding = "masquerade"
check = { type = "pgsql", user = "monitor", interval = "30s", rise = 1, fall = 1 }
[[virtual_service.real_server]]
address = "127.0.0.1"
port = 1
"""
PLACE = "virtual_service[database].check.type"
PROBLEM = "pgsql checks need a library that is not installed: pip install 'lvs-agent[pgsql]'"


@pytest.fixture
def without_psycopg(tmp_path: Path) -> dict[str, str]:
    """An environment in which Python has no psycopg."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['psycopg'] = None\n")
    return {"PYTHONPATH": str(tmp_path)}


def said_by_check(agent: Agent) -> str:
    """The last result of the check of the database."""
    return str(agent.wait_for("check_not_possible", check="pgsql")["detail"])


def test_missing_library_is_a_warning_at_start(
    config: ConfigFile, start: StartAgent, without_psycopg: dict[str, str]
) -> None:
    """The operator need not wait for the first check to learn what to install."""
    agent = start(config.write(more=PGSQL), environment=without_psycopg)
    agent.wait_for("configuration_warning", place=PLACE, problem=PROBLEM)

    assert said_by_check(agent).startswith("install lvs-agent[pgsql]")


def test_missing_library_is_a_warning_at_a_reload(
    config: ConfigFile, start: StartAgent, real_servers: StartServers, without_psycopg: dict[str, str]
) -> None:
    """The other checks continue, and the new one names the missing library."""
    (server,) = real_servers(1)
    agent = start(config.write([server]), environment=without_psycopg)
    agent.wait_for("real_server_up")
    config.write([server], more=PGSQL)
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_warning", place=PLACE, problem=PROBLEM)

    assert said_by_check(agent).startswith("install lvs-agent[pgsql]")
    seen = len(server.requests)
    agent.until(lambda: len(server.requests) > seen + 2)


def test_library_that_is_there_is_no_warning(config: ConfigFile, start: StartAgent) -> None:
    """Only a missing library is reported."""
    agent = start(config.write(more=PGSQL))
    agent.wait_for("real_server_down", virtual_service="database")

    assert not agent.lines("configuration_warning", place=PLACE)


HTTPS = """
[[virtual_service]]
name = "shop"
address = "192.0.2.3"
port = 443
forwarding = "masquerade"
check = { type = "https", interval = "30s", rise = 1, fall = 1 }
[[virtual_service.real_server]]
address = "127.0.0.1"
port = 1
"""


def loaded(pid: int) -> set[str]:
    """The libraries with machine code that a process has, of those in question."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return set(re.findall(r"site-packages/(cryptography|psycopg_binary)/", maps))


def test_libraries_are_loaded_before_a_start_needs_them(config: ConfigFile, start: StartAgent) -> None:
    """The library that reads certificates is loaded even if the server refuses connections."""
    agent = start(config.write(more=HTTPS))
    agent.wait_for("real_server_down", virtual_service="shop")

    assert loaded(worker_of(agent.pid)) == {"cryptography"}
    assert loaded(agent.pid) == set()


def test_libraries_are_loaded_before_a_reload_needs_them(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Those of the new checks, and none before there are such checks."""
    (server,) = real_servers(1)
    agent = start(config.write([server]))
    agent.wait_for("real_server_up")
    assert loaded(worker_of(agent.pid)) == set()

    config.write([server], more=HTTPS)
    agent.send(signal.SIGHUP)
    agent.wait_for("real_server_down", virtual_service="shop")

    assert loaded(worker_of(agent.pid)) == {"cryptography"}
    assert loaded(agent.pid) == set()
