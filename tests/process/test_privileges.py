"""What each process of the agent may do, and how it reads files that only root may read."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lvs_agent.commands import privileges
from tests.process.agent import Agent
from tests.process.conftest import HANGING_PROGRAM, ConfigFile, StartAgent, StartServers
from tests.process.family import descendants, name_of, runner_of, starter_of, status_of, worker_of

STRANGER = 12_345
"""Nobody's number: a file of this owner with mode 0600 can be read with CAP_DAC_READ_SEARCH alone."""
SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
OF_THE_AGENT = (privileges.CAP_NET_ADMIN,)
OF_THE_STARTER = (
    privileges.CAP_DAC_READ_SEARCH,
    privileges.CAP_KILL,
    privileges.CAP_NET_RAW,
    privileges.CAP_SETGID,
    privileges.CAP_SETUID,
)


def capabilities_of(pid: int) -> dict[str, int]:
    """The sets of a process, a bit for each capability."""
    status = status_of(pid)
    return {name: int(status[name], 16) for name in SETS}


def only(*capabilities: int) -> dict[str, int]:
    """The sets of a process that may use these itself, of those that this one has, and hands on none."""
    permitted = capabilities_of(os.getpid())["CapPrm"]
    bits = sum(1 << capability for capability in capabilities) & permitted
    return {"CapInh": 0, "CapPrm": bits, "CapEff": bits, "CapAmb": 0}


@pytest.fixture
def with_all_processes(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> Agent:
    """An agent with a worker, and a runner that runs a program."""
    agent = start(config.write(real_servers(1), more=HANGING_PROGRAM))
    agent.wait_for("real_server_up")
    agent.until(lambda: "sleep" in map(name_of, descendants(agent.pid)))
    return agent


def test_each_process_has_the_capabilities_of_its_work(with_all_processes: Agent) -> None:
    """The table for the agent, users and files for the starter, users for the runner, nothing for the others."""
    agent = with_all_processes
    runner = runner_of(agent.pid)
    (program,) = [pid for pid in descendants(agent.pid) if name_of(pid) == "sleep"]
    assert runner is not None

    assert capabilities_of(agent.pid) == only(*OF_THE_AGENT)
    assert capabilities_of(starter_of(agent.pid)) == only(*OF_THE_STARTER)
    assert capabilities_of(runner) == only(*privileges.OF_THE_RUNNER)
    assert capabilities_of(worker_of(agent.pid)) == only()
    assert capabilities_of(program) == only()
    assert {status_of(pid)["NoNewPrivs"] for pid in (program, worker_of(agent.pid))} == {"1"}


def closed(path: Path) -> None:
    """Let nobody read the file but its owner, and be that nobody."""
    os.chown(path, STRANGER, STRANGER)
    path.chmod(0o600)


def test_files_that_the_agent_may_not_read_are_read_at_a_reload(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Configuration and secret, beside each other: the starter opens them."""
    (server,) = real_servers(1)
    agent = start(config.write([server]))
    agent.wait_for("real_server_up")
    secret = config.path.with_name("password")
    secret.write_text("open sesame\n")
    closed(secret)
    closed(config.write([server], check='headers = { Authorization = { file = "password" } }'))
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_reloaded")

    seen = len(server.requests)
    agent.until(lambda: len(server.requests) > seen + 1)


def test_closed_file_that_changes_is_noticed(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> None:
    """In a directory that only its owner may search, where the agent cannot even ask for the time of a file."""
    servers = real_servers(2)
    inner = ConfigFile(config.path.parent / "closed" / "config.toml")
    inner.path.parent.mkdir()
    state = f'state_dir = "{config.path.parent}/state"'
    closed(inner.write(servers[:1]))
    text = inner.path.read_text().replace('state_dir = "state"', state)
    closed(inner.replace(text))
    os.chown(inner.path.parent, STRANGER, STRANGER)
    inner.path.parent.chmod(0o700)
    agent = start(inner.path)
    agent.wait_for("real_server_up")
    inner.write(servers)
    closed(inner.replace(inner.path.read_text().replace('state_dir = "state"', state)))

    assert agent.wait_for("configuration_reloaded")["cause"] == "file_changed"
    agent.wait_for("real_server_up", count=2)


def test_file_elsewhere_is_not_opened(
    config: ConfigFile, start: StartAgent, real_servers: StartServers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The starter opens what lies below the directories that were fixed at the start, whatever a link says."""
    (server,) = real_servers(1)
    agent = start(config.write([server]))
    agent.wait_for("real_server_up")
    secret = tmp_path_factory.mktemp("elsewhere") / "password"
    secret.write_text("open sesame\n")
    closed(secret)
    config.path.with_name("link").symlink_to(secret)
    for count, name in enumerate((str(secret), "link"), 1):
        config.write([server], check=f'headers = {{ Authorization = {{ file = "{name}" }} }}')
        agent.send(signal.SIGHUP)
        agent.wait_for("configuration_refused", count=count)

    assert all("Permission denied" in line["problem"] for line in agent.lines("configuration_refused"))
