"""Local faults of the agent: they neither affect servers nor leave anything behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.process.conftest import INTERVAL_S, ConfigFile, StartAgent, StartServers
from tests.process.family import is_alive, limit_descriptors, runner_of, worker_of


def test_server_stays_when_no_descriptors_are_left_for_checks(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """EMFILE is a local error: it is counted, logged once, and removes no server from the table."""
    servers = real_servers(3)
    agent = start(config.write(servers))
    agent.wait_for("operation_applied", operation="add_destination", count=3)
    worker = worker_of(agent.pid)
    limit_descriptors(worker, 3)
    agent.wait_for("check_not_possible", reason="no_descriptors", count=3)
    agent.until(lambda: agent.metric("lvs_agent_check_errors_total", reason="no_descriptors") > 9)
    meanwhile = agent.servers()
    limit_descriptors(worker)
    agent.until(lambda: all(one["checks"][0]["last"]["result"] == "passed" for one in agent.servers().values()))

    assert {one["health"] for one in meanwhile.values()} == {"up"}
    assert {one["weight"]["kernel"] for one in meanwhile.values()} == {1}
    assert {one["checks"][0]["last"]["result"] for one in meanwhile.values()} == {"errored"}
    assert len(agent.lines("check_not_possible")) == 3
    assert agent.lines("real_server_down") == []
    assert len(agent.lines("operation_applied")) == 4


def test_log_that_nobody_reads_any_more_ends_nothing(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Lines are lost, and the servers are checked as before."""
    (server,) = real_servers(1)
    agent = start(config.write([server]))
    agent.wait_for("operation_applied", operation="add_destination")
    agent.stop_reading()
    server.status = 503
    agent.until(lambda: agent.servers()[server.name]["health"] == "down")
    server.status = 200
    agent.until(lambda: agent.servers()[server.name]["health"] == "up")

    agent.until(lambda: agent.metric("lvs_agent_ipvs_operations_total") == 4)
    assert agent.end() == 0


def with_programs(config: ConfigFile, directory: Path, *, count: int = 1, agent: str = "") -> Path:
    """A configuration whose servers are checked by a program that notes its process and runs for long."""
    program = f"echo $$ >> {directory}/programs; exec /bin/sleep 60"
    checks = "\n".join(
        f'[[virtual_service.real_server]]\naddress = "127.0.0.{last}"\nport = 8080\n'
        f'check = {{ type = "command", command = ["/bin/sh", "-c", "{program}"], interval = "{INTERVAL_S}s", '
        'timeout = "20s" }'
        for last in range(1, count + 1)
    )
    text = (
        f'agent = {{ state_dir = "state"{", " if agent else ""}{agent} }}\n[[virtual_service]]\nname = "web"\n'
        f'address = "192.0.2.1"\nport = 80\nforwarding = "masquerade"\n{checks}\n'
    )
    return config.replace(text)


def programs(directory: Path) -> list[int]:
    """The processes that have been started so far."""
    file = directory / "programs"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_programs_of_checks_end_with_the_agent(
    number: int, config: ConfigFile, start: StartAgent, shared_directory: Path
) -> None:
    """Neither the runner nor what it runs is left behind, even by kill -9."""
    agent = start(with_programs(config, shared_directory))
    agent.until(lambda: bool(programs(shared_directory)))
    (program,) = programs(shared_directory)
    runner = runner_of(agent.pid)
    assert runner is not None
    running = is_alive(runner) and is_alive(program)
    agent.end(number)

    assert running
    agent.until(lambda: not is_alive(runner) and not is_alive(program))


def test_no_more_programs_run_at_once_than_configured(
    config: ConfigFile, start: StartAgent, shared_directory: Path
) -> None:
    """The others wait for their turn."""
    agent = start(with_programs(config, shared_directory, count=3, agent="command_concurrency = 1"))
    agent.until(lambda: agent.metric("lvs_agent_checks_in_flight") == 3)
    agent.until(lambda: agent.metric("lvs_agent_check_commands_queued") == 2)
    agent.until(lambda: bool(programs(shared_directory)))

    assert agent.metric("lvs_agent_check_commands") == 1
    assert len(programs(shared_directory)) == 1
