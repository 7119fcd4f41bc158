"""Controls beside the configuration: maintenance, and the sorry command."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

from tests.process.agent import Agent
from tests.process.conftest import ConfigFile, StartAgent, StartServers


def told(agent: Agent, log: Path, *, count: int) -> list[str]:
    """The calls of the sorry command that wrote ``log``, once ``count`` of them have ended."""
    agent.wait_for("sorry_command", count=count)
    return log.read_text().splitlines()


def memberships(agent: Agent) -> dict[str, str]:
    """Why each real server has the weight it has."""
    return {name: server["membership"] for name, server in agent.servers().items()}


def script(directory: Path) -> tuple[Path, Path]:
    """A program that notes its arguments, and where it runs."""
    log, program = directory / "calls", directory / "sorry"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    program.chmod(0o755)
    return program, log


def test_sorry_command_is_told_once_of_each_turn_and_of_the_end(
    config: ConfigFile, start: StartAgent, real_servers: StartServers, shared_directory: Path
) -> None:
    """Nothing at a start with servers that work, then start, stop, start, and stop when the service leaves."""
    program, log = script(shared_directory)
    servers = real_servers(2)
    more = f'[virtual_service.sorry_command]\ncommand = ["{program}", "--site", "a b"]'
    agent = start(config.write(servers, agent='on_stop = "remove"', more=more))
    agent.wait_for("operation_applied", operation="add_destination", count=2)
    before = log.exists()
    for server in servers:
        server.stop()
    first = told(agent, log, count=1)
    servers[0].start()
    told(agent, log, count=2)
    servers[0].stop()
    told(agent, log, count=3)
    sample = 'lvs_agent_sorry_command_calls_total{action="start",outcome="succeeded",virtual_service="web"} 2'
    counted = sample in agent.get("/metrics").text
    agent.end()

    assert not before
    assert first == ["--site a b start 192.0.2.1:80 tcp"]
    assert [line.split()[3] for line in log.read_text().splitlines()] == ["start", "stop", "start", "stop"]
    assert counted


def test_sorry_command_that_was_started_is_stopped_by_the_next_process(
    config: ConfigFile, start: StartAgent, real_servers: StartServers, shared_directory: Path
) -> None:
    """The next process knows what the killed process has started, and stops it when a server recovers."""
    program, log = script(shared_directory)
    (server,) = real_servers(1)
    path = config.write([server], more=f'[virtual_service.sorry_command]\ncommand = ["{program}"]')
    server.stop()
    first = start(path)
    told(first, log, count=1)
    first.end(signal.SIGKILL)
    server.start()
    second = start(path)

    assert told(second, log, count=1) == ["start 192.0.2.1:80 tcp", "stop 192.0.2.1:80 tcp"]


def test_file_takes_a_server_out_for_as_long_as_it_is_there(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """From the start on, and within seconds later; the server is back as soon as the file has gone."""
    servers = real_servers(2)
    directory = config.path.parent / "maintenance"
    directory.mkdir()
    note = directory / servers[0].name
    note.touch()
    agent = start(config.write(servers, agent='maintenance_dir = "maintenance"'))
    agent.wait_for("operation_applied", operation="add_destination", real_server=servers[1].name)
    agent.wait_for("real_server_up", real_server=servers[0].name)
    out = memberships(agent)
    metric = agent.get("/metrics").text
    never_in = agent.lines("operation_applied", real_server=servers[0].name) == []
    note.unlink()
    agent.wait_for("operation_applied", operation="add_destination", real_server=servers[0].name)
    back = memberships(agent)

    assert out == {servers[0].name: "maintenance", servers[1].name: "pooled"}
    assert f'lvs_real_server_maintenance{{real_server="{servers[0].name}",virtual_service="web"}} 1' in metric
    assert 'lvs_virtual_service_real_servers{state="maintenance",virtual_service="web"} 1' in metric
    assert never_in
    assert back == {servers[0].name: "pooled", servers[1].name: "pooled"}
    assert agent.lines("maintenance_started", real_server=servers[0].name)
    assert agent.lines("maintenance_ended", real_server=servers[0].name)


def test_server_that_comes_into_maintenance_under_way_is_taken_out(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """The directory is looked at each second; the checks go on and change nothing."""
    (server,) = real_servers(1)
    directory = config.path.parent / "maintenance"
    directory.mkdir()
    agent = start(config.write([server], agent='maintenance_dir = "maintenance"'))
    agent.wait_for("operation_applied", operation="add_destination")
    (directory / "127.0.0.1").touch()
    agent.wait_for("operation_applied", operation="delete_destination")
    taken_out = time.monotonic()
    agent.until(lambda: bool(server.since(taken_out)))

    assert memberships(agent) == {server.name: "maintenance"}


def test_monitor_file_has_a_line_for_each_result(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Time, process, server, word and what was found, also the last lines before the end."""
    (server,) = real_servers(1)
    path = config.write([server])
    path.write_text(path.read_text().replace("port = 80\n", 'port = 80\nmonitor_file = "web.log"\n', 1))
    agent = start(path)
    agent.wait_for("real_server_up")
    server.stop()
    agent.wait_for("real_server_down")
    agent.end()
    lines = (path.parent / "web.log").read_text().splitlines()

    label = rf"http tcp 127\.0\.0\.1 {server.port} 1 masquerade"
    assert re.fullmatch(rf"\[\w{{3}} \w{{3}} .\d \d\d:\d\d:\d\d \d{{4}}\] \[\d+\] {label} \[up\] 200 OK", lines[0])
    assert re.fullmatch(rf".*{label} \[down\] 500 Can't connect to .* \(Connection refused\)", lines[-1])
