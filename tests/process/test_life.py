"""A whole agent from start to end, beside servers that fail and recover."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.process.agent import END_WITHIN_S
from tests.process.conftest import ConfigFile, StartAgent, StartServers


def test_agent_becomes_ready_and_serves_every_page(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """It is live at once, ready when every check has run and the table is in sync, and reports that everywhere."""
    servers = real_servers(2)
    agent = start(config.write(servers))
    alive = agent.get("/livez").status_code
    agent.wait_until_ready()

    assert alive == 200
    assert agent.status()["agent"]["ready"]
    assert {server["health"] for server in agent.servers().values()} == {"up"}
    assert agent.metric("lvs_agent_active") == 1
    assert agent.metric("lvs_agent_ipvs_operations_total", operation="add_destination") == 2
    assert agent.get("/").status_code == 200


def test_agent_is_not_ready_before_every_check_has_run(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """A server that has not answered yet keeps readiness back, and the answer says why."""
    (server,) = real_servers(1)
    server.hanging = True
    agent = start(config.write([server], timeout="20s"))
    agent.until(lambda: bool(server.requests))
    answer = agent.get("/readyz")

    assert answer.status_code == 503
    assert "1 of 1 checks have not run yet" in answer.text


def test_server_that_fails_leaves_and_comes_back_with_a_line_a_change(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """One line for each transition and one for each operation, and none while nothing changes."""
    failing, _ = servers = real_servers(2)
    agent = start(config.write(servers))
    agent.wait_for("operation_applied", count=3)
    failing.status = 503
    agent.wait_for("operation_applied", operation="delete_destination", real_server=failing.name)
    gone = agent.servers()[failing.name]
    failing.status = 200
    agent.wait_for("operation_applied", count=5)
    quiet_since = len(agent.written)
    time.sleep(0.6)

    assert (gone["health"], gone["membership"], gone["weight"]["wanted"]) == ("down", "removed", None)
    assert gone["checks"][0]["last"]["detail"] == "status 503"
    assert agent.servers()[failing.name]["membership"] == "pooled"
    (down,) = agent.lines("real_server_down")
    assert (down["real_server"], down["reason"], down["previous"]) == (failing.name, "status", "up")
    assert len(agent.lines("real_server_up", real_server=failing.name)) == 2
    assert len(agent.lines("operation_applied", real_server=failing.name)) == 3
    assert agent.written[quiet_since:] == []


def test_sorry_server_is_in_before_the_last_server_goes(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """With no server left the sorry server is active, and it leaves after the first one recovers."""
    one, two, sorry = real_servers(3)
    agent = start(config.write([one, two], sorry=sorry))
    agent.wait_until_ready()
    begun = len(agent.lines("operation_applied"))
    one.stop()
    agent.wait_for("operation_applied", operation="delete_destination", real_server=one.name)
    two.stop()
    agent.wait_for("operation_applied", operation="delete_destination", real_server=two.name)
    agent.until(lambda: agent.status()["services"][0]["sorry_server"]["active"])  # the round ends after its last line
    one.start()
    agent.until(lambda: len(agent.lines("operation_applied")) >= begun + 5)

    steps = [(line["operation"], line["real_server"]) for line in agent.lines("operation_applied")[begun:]]
    assert steps == [
        ("delete_destination", one.name),
        ("add_destination", sorry.name),
        ("delete_destination", two.name),
        ("add_destination", one.name),
        ("delete_destination", sorry.name),
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_ends_it_at_once_whatever_hangs(
    number: int, config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Checks that get no answer and clients that keep their connections do not hold it up."""
    servers = real_servers(3)
    for server in servers:
        server.hanging = True
    agent = start(config.write(servers, timeout="20s"))
    agent.until(lambda: all(server.requests for server in servers))
    host, port = agent.wait_for("started")["listen"].split(":")
    agent.get("/metrics")  # its connection stays open
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        status = agent.end(number)
        took = time.monotonic() - began

    assert status == 0
    assert took < END_WITHIN_S
    assert [line["event"] for line in agent.lines()[-2:]] == ["stopping", "stopped"]


def test_agent_without_services_is_an_exporter(config: ConfigFile, start: StartAgent) -> None:
    """With nothing configured it is ready, exports, and touches nothing."""
    agent = start(config.replace(""))
    agent.wait_until_ready()

    assert agent.metric("lvs_agent_build_info") == 1
    assert agent.status()["services"] == []
    assert agent.lines("operation_applied") == []
    assert agent.end() == 0


def test_dry_run_reports_and_writes_nothing(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> None:
    """What it would do is in the log and in the status; neither the table nor a file is touched."""
    (server,) = real_servers(1)
    agent = start(config.write([server]), "--dry-run")
    agent.wait_for("operation_planned", operation="add_destination", real_server=server.name)
    status = agent.status()

    assert agent.metric("lvs_agent_active") == 0
    assert agent.metric("lvs_agent_ipvs_operations_total") == 0
    assert agent.lines("operation_applied") == []
    assert not status["agent"]["writes"]
    assert [one["operation"] for one in status["reconcile"]["pending"]] == ["add_service", "add_destination"]
    assert status["services"][0]["in_kernel"] is False
    assert agent.end() == 0
    assert not (config.path.parent / "state").exists()


OTHER = """
[[virtual_service]]
name = "other"
fwmark = 7
on_stop = "{}"
[[virtual_service.real_server]]
address = "127.0.0.1"
checked = false
"""


@pytest.mark.parametrize(
    ("on_stop", "of_other", "number", "deleted"),
    [
        pytest.param("keep", "keep", signal.SIGTERM, [], id="keep"),
        pytest.param("remove", "remove", signal.SIGTERM, ["web", "other"], id="remove"),
        pytest.param("keep", "remove", signal.SIGTERM, ["other"], id="only one of them"),
        pytest.param("remove", "remove", signal.SIGQUIT, [], id="told to keep everything"),
    ],
)
def test_stop_leaves_the_table_unless_told_otherwise(
    on_stop: str,
    of_other: str,
    number: int,
    deleted: list[str],
    config: ConfigFile,
    start: StartAgent,
    real_servers: StartServers,
) -> None:
    """``remove`` deletes services at the end, ``keep`` and SIGQUIT change nothing; each service has its own setting."""
    agent = start(config.write(real_servers(1), agent=f'on_stop = "{on_stop}"', more=OTHER.format(of_other)))
    agent.wait_for("operation_applied", operation="add_destination", virtual_service="web")
    status = agent.end(number)

    assert status == 0
    assert agent.lines("stopping")[0]["services_removed"] == str(len(deleted))
    gone = [line["virtual_service"] for line in agent.lines("operation_applied", operation="delete_service")]
    assert sorted(gone) == sorted(deleted)


def test_server_that_stayed_down_is_down_since_before_the_restart(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """The state file keeps the time of the last change if the new process finds the same health."""
    (server,) = real_servers(1)
    server.stop()
    path = config.write([server])
    first = start(path)
    first.wait_for("real_server_down")
    before = first.servers()[server.name]["since"]
    first.end()
    second = start(path)
    second.wait_for("real_server_down")
    after = second.servers()[server.name]["since"]
    server.start()
    second.wait_for("real_server_up")

    assert after == before
    assert second.servers()[server.name]["since"] != before


def test_killed_agent_starts_again_with_its_state(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """After kill -9 the next one reads what the first one left, and becomes ready."""
    path = config.write(real_servers(1))
    first = start(path)
    first.wait_until_ready()
    first.until((path.parent / "state" / "state.json").exists)
    killed = first.end(signal.SIGKILL)
    second = start(path)
    second.wait_until_ready()

    assert killed == -signal.SIGKILL
    assert second.lines("state_file_not_read") == []
    assert second.end() == 0
