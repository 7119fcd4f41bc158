"""The output of the agent: lines that programs can parse, and no secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import forkserver
from tests.process.agent import parse_json
from tests.process.conftest import ConfigFile, StartAgent, StartServers

IN_FILE, IN_ENVIRONMENT, IN_CONFIG, OF_COMMAND = "s3cret-of-file", "s3cret-of-env", "s3cret-of-toml", "s3cret-of-cmd"


def test_every_line_of_a_json_log_is_an_object(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Time, level and event are there, numbers are numbers, addresses are words."""
    (server,) = real_servers(1)
    server.status = 500
    agent = start(config.write([server]), "--log-format", "json", parse=parse_json)
    down = agent.wait_for("real_server_down")
    agent.end()

    assert all({"timestamp", "level", "event"} <= line.keys() for line in agent.lines())
    assert agent.wait_for("started")["checks"] == 1
    assert agent.wait_for("started")["writes"] is True
    assert (down["level"], down["previous"], down["reason"]) == ("warning", "unknown", "status")
    assert isinstance(down["duration_s"], float)


def test_level_keeps_lesser_lines_away(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> None:
    """What is not written is not counted either."""
    (server,) = real_servers(1)
    server.stop()
    agent = start(config.write([server]), "--log-level", "warning")
    agent.wait_for("quorum_lost")
    agent.end()

    said = [line["event"] for line in agent.lines()]
    of_this_host = "not_the_intended_user"  # where lvs-agent is not installed
    assert [event for event in said if event != of_this_host] == ["real_server_down", "quorum_lost"]


@pytest.fixture
def full_of_secrets(config: ConfigFile, real_servers: StartServers) -> Path:
    """Secrets in a file, in the environment and in the configuration, for checks that pass and checks that fail."""
    directory = config.path.parent
    (directory / "token").write_text(IN_FILE + "\n")
    headers = f'X-A = {{ file = "token" }}, X-B = {{ env = "CHECK_TOKEN" }}, X-C = "{IN_CONFIG}"'
    program = (
        '\n[[virtual_service.real_server]]\naddress = "127.0.0.1"\nport = 1\ncheck = { type = "command", '
        f'command = ["/bin/false"], environment = {{ PASSWORD = "{OF_COMMAND}" }} }}\n'
    )
    well, broken = real_servers(2)
    broken.status = 500
    return config.write([well, broken], check=f"headers = {{ {headers} }}", more=program)


def test_no_secret_is_ever_said(full_of_secrets: Path, start: StartAgent) -> None:
    """Neither the log (even at debug) nor any page, nor what check-config and plan print."""
    environment = {"CHECK_TOKEN": IN_ENVIRONMENT}
    agent = start(full_of_secrets, "--log-level", "debug", environment=environment)
    agent.wait_for("real_server_down", count=2)
    agent.wait_for("real_server_up")
    said = [agent.get(path).text for path in ("/metrics", "/api/v1/status", "/", "/readyz")]
    agent.end()
    for command in (["check-config"], ["plan", "--ipvs", "memory", "--json"], ["plan", "--ipvs", "memory"]):
        words = (*forkserver.COMMAND, *command, "--config", str(full_of_secrets))
        run = forkserver.run(words, env={"PATH": "/bin", **environment})
        assert run.returncode == 0
        said += [run.stdout, run.stderr]
    state = full_of_secrets.parent / "state" / "state.json"
    said += [*agent.written, state.read_text(encoding="utf-8")]

    assert [text for text in said if "s3cret" in text] == []
