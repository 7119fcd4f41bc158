"""The processes of the agent: who runs what, what they may do, and what becomes of the others when one ends."""

from __future__ import annotations

import os
import pwd
import signal
import time
from pathlib import Path

import pytest

from tests.process.agent import Agent
from tests.process.conftest import HANGING_PROGRAM, ConfigFile, StartAgent, StartServers
from tests.process.family import (
    descendants,
    is_alive,
    name_of,
    runner_of,
    starter_of,
    status_of,
    worker_of,
    workers_of,
)
from tests.process.servers import RealServer

HUNG_AFTER_S, REPLACED_WITHIN_S = 5.0, 7.0
ENDED_WITHIN_S = 3.0
WELL_PROGRAM = HANGING_PROGRAM.replace('"77"', '"0.1"').replace("60s", "2s")
SLOW_PROGRAM = HANGING_PROGRAM.replace('"77"', '"1.5"').replace('timeout = "60s"', 'timeout = "3s", rise = 1, fall = 1')


def descriptors_of(pid: int) -> list[str]:
    """What its descriptors are, such as socket:[4711] or the path of a file."""
    return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]


def restarts(agent: Agent, cause: str) -> float:
    """How many workers were replaced for that cause."""
    return agent.metric("lvs_agent_worker_restarts_total", cause=cause)


def writes(agent: Agent) -> int:
    """How many operations were applied."""
    return len(agent.lines("operation_applied"))


@pytest.fixture
def checking(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> tuple[Agent, list[RealServer]]:
    """An agent that checks three servers, all of them in the table."""
    servers = real_servers(3)
    agent = start(config.write(servers, timeout="5s"))  # the servers are threads of this process, which may be busy
    agent.wait_for("operation_applied", operation="add_destination", count=3)
    agent.wait_until_ready()
    return agent, servers


def goes_on(agent: Agent, servers: list[RealServer]) -> None:
    """Wait until every server is asked again."""
    seen = [len(server.requests) for server in servers]
    agent.until(lambda: all(len(server.requests) > before + 1 for server, before in zip(servers, seen, strict=True)))


def test_worker_is_another_user_without_any_privilege(checking: tuple[Agent, list[RealServer]]) -> None:
    """It has the sockets of the checks, its connection, and nothing of the agent."""
    agent, _ = checking
    worker = worker_of(agent.pid)
    status = status_of(worker)
    users = {pwd.getpwuid(int(uid)).pw_name for uid in status["Uid"].split()}

    assert users <= {"lvs-agent-check", "nobody"}
    assert status["Groups"] == ""
    assert not [name for name in descriptors_of(worker) if name.startswith("/") and name != "/dev/null"]


def test_agent_has_no_sockets_of_checks(checking: tuple[Agent, list[RealServer]]) -> None:
    """Neither the agent nor the starter has a connection to a real server: each of them is the worker's."""
    agent, servers = checking
    ports = {server.port for server in servers}
    goes_on(agent, servers)
    servers[0].hanging = True
    agent.until(lambda: bool(remote_ports(worker_of(agent.pid)) & ports))

    assert not remote_ports(agent.pid) & ports
    assert not remote_ports(starter_of(agent.pid)) & ports


def remote_ports(pid: int) -> set[int]:
    """The ports to which the TCP sockets of a process are connected."""
    sockets = {name.removeprefix("socket:[").rstrip("]") for name in descriptors_of(pid)}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]]
    return {int(row[2].partition(":")[2], 16) for row in rows if row[9] in sockets}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_worker_that_dies_is_replaced_at_once(number: int, checking: tuple[Agent, list[RealServer]]) -> None:
    """Its checks go on in another process; nothing is removed, and their counts go on."""
    agent, servers = checking
    worker, before = worker_of(agent.pid), writes(agent)
    os.kill(worker, number)
    began = time.monotonic()
    agent.until(lambda: restarts(agent, "died") == 1 and len(workers_of(agent.pid)) == 1)
    took_s = time.monotonic() - began
    goes_on(agent, servers)

    assert took_s < REPLACED_WITHIN_S
    assert worker_of(agent.pid) != worker
    assert agent.wait_for("check_worker_lost", cause="died")["detail"] == f"killed by {signal.Signals(number).name}"
    assert {one["health"] for one in agent.servers().values()} == {"up"}
    assert agent.lines("real_server_down") == []
    assert writes(agent) == before


def test_worker_that_hangs_is_replaced(checking: tuple[Agent, list[RealServer]]) -> None:
    """It is given 5 s, and nothing is removed meanwhile."""
    agent, servers = checking
    worker, before = worker_of(agent.pid), writes(agent)
    os.kill(worker, signal.SIGSTOP)
    began = time.monotonic()
    agent.until(lambda: restarts(agent, "hung") == 1 and len(workers_of(agent.pid)) == 1)
    took_s = time.monotonic() - began
    goes_on(agent, servers)

    assert took_s > HUNG_AFTER_S - 1.5  # it had said something up to a second before
    assert not is_alive(worker)
    assert agent.lines("real_server_down") == []
    assert writes(agent) == before
    assert {one["health"] for one in agent.servers().values()} == {"up"}
    assert agent.metric("lvs_agent_check_errors_total", reason="late") == 3


def test_state_of_a_check_survives_its_worker(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """A server that is down stays down, and comes back by the new worker's checks."""
    servers = real_servers(2)
    servers[1].status = 503
    agent = start(config.write(servers, timeout="5s"))
    agent.wait_for("real_server_down")
    os.kill(worker_of(agent.pid), signal.SIGKILL)
    agent.wait_for("check_worker_lost")
    goes_on(agent, servers)
    assert [one["health"] for one in agent.servers().values()] == ["up", "down"]

    servers[1].status = 200
    agent.wait_for("real_server_up", count=2)


def test_agent_that_was_stopped_blames_nobody(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Results wait for it, as its own lateness is not the worker's; nor is a program late that it could not tell of."""
    servers = real_servers(2)
    agent = start(config.write(servers, timeout="5s", more=SLOW_PROGRAM))
    agent.wait_for("real_server_up", count=3)
    worker = worker_of(agent.pid)
    agent.send(signal.SIGSTOP)
    time.sleep(HUNG_AFTER_S + 2.0)
    agent.send(signal.SIGCONT)
    goes_on(agent, servers)

    assert worker_of(agent.pid) == worker
    assert sum(restarts(agent, cause) for cause in ("died", "hung", "invalid")) == 0
    assert {one["health"] for one in agent.servers().values()} == {"up"}
    assert agent.lines("real_server_down") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("to_the_worker", [0, signal.SIGSTOP], ids=["", "worker stopped"])
def test_nothing_is_left_of_an_agent_that_ends(
    number: int, to_the_worker: int, config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Starter, worker, runner and programs end with it, also by kill -9 and with a worker that hangs."""
    agent = start(config.write(real_servers(1), more=HANGING_PROGRAM))
    agent.wait_for("real_server_up")
    agent.until(lambda: "sleep" in map(name_of, descendants(agent.pid)))
    family = descendants(agent.pid)
    os.kill(worker_of(agent.pid), to_the_worker)
    agent.end(number)
    began = time.monotonic()
    agent.until(lambda: not any(map(is_alive, family)))

    assert time.monotonic() - began < ENDED_WITHIN_S
    assert len(family) >= 5


@pytest.mark.parametrize(
    ("number", "problem"), [(signal.SIGKILL, "has ended"), (signal.SIGSTOP, "has not answered for 10 s")]
)
def test_agent_ends_with_its_starter(number: int, problem: str, config: ConfigFile, start: StartAgent) -> None:
    """Without it no worker can be replaced; the service manager starts everything anew."""
    agent = start(config.replace('agent = { state_dir = "state" }\n' + WELL_PROGRAM))
    agent.wait_for("real_server_up")
    family = descendants(agent.pid)
    os.kill(starter_of(agent.pid), number)
    agent.until(lambda: not is_alive(agent.pid))

    agent.until(lambda: not any(map(is_alive, family)))
    assert agent.end_status() == 1
    assert agent.strange == [f"error: the process that starts the check workers {problem}\n"]
    agent.strange.clear()


def test_signals_for_the_agent_do_not_end_the_others(checking: tuple[Agent, list[RealServer]]) -> None:
    """A terminal and "systemctl kill" signal all processes; the agent alone decides."""
    agent, servers = checking
    family = descendants(agent.pid)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        for pid in family:
            os.kill(pid, number)
    goes_on(agent, servers)

    assert descendants(agent.pid) == family


def test_runner_that_dies_is_started_again(config: ConfigFile, start: StartAgent) -> None:
    """By the starter, as the first one was."""
    agent = start(config.replace('agent = { state_dir = "state" }\n' + HANGING_PROGRAM))
    agent.until(lambda: "sleep" in map(name_of, descendants(agent.pid)))
    runner = runner_of(agent.pid)
    assert runner is not None
    os.kill(runner, signal.SIGKILL)
    agent.until(lambda: runner_of(agent.pid) not in {None, runner})

    agent.until(lambda: "sleep" in map(name_of, descendants(agent.pid)))


def test_runner_that_hangs_removes_no_server(config: ConfigFile, start: StartAgent) -> None:
    """It is replaced, and its silence says nothing about the servers."""
    agent = start(config.replace('agent = { state_dir = "state" }\n' + WELL_PROGRAM))
    agent.wait_for("real_server_up")
    agent.until(lambda: writes(agent) == 2)  # the service and its server
    runner = runner_of(agent.pid)
    assert runner is not None
    os.kill(runner, signal.SIGSTOP)
    agent.wait_for("command_runner_killed")
    agent.until(lambda: runner_of(agent.pid) not in {None, runner})
    passed = agent.metric("lvs_real_server_check_duration_seconds_count")
    agent.until(lambda: agent.metric("lvs_real_server_check_duration_seconds_count") > passed + 2)

    assert {one["health"] for one in agent.servers().values()} == {"up"}
    assert writes(agent) == 2


def test_workers_share_the_checks(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> None:
    """Each check belongs to one of them; a reload changes their checks."""
    servers = real_servers(8)
    agent = start(config.write(servers, timeout="5s", agent="workers = 3"))
    agent.wait_for("operation_applied", operation="add_destination", count=8)
    assert len(workers_of(agent.pid)) == 3
    config.write(servers[:4], timeout="5s", agent="workers = 3")
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_reloaded")
    goes_on(agent, servers[:4])
    seen = [len(server.requests) for server in servers[4:]]
    goes_on(agent, servers[:4])

    assert [len(server.requests) for server in servers[4:]] == seen
