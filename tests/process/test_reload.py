"""The configuration of a running agent: read again, changed, made invalid and corrected."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests import forkserver
from tests.process.agent import Agent
from tests.process.conftest import INTERVAL_S, ConfigFile, StartAgent, StartServers
from tests.process.servers import RealServer, shift

RHYTHM_S = INTERVAL_S / 4
SAMPLES = 15
"""How far a rhythm may seem to move on a machine with other things to do; a new phase would be anywhere."""


@pytest.fixture
def at_work(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> tuple[Agent, RealServer]:
    """An agent whose server has been checked for seconds: a busy machine makes requests late, but not most."""
    (server,) = real_servers(1)
    agent = start(config.write([server]))
    agent.wait_for("operation_applied", operation="add_destination")
    begun = time.monotonic()
    agent.until(lambda: len(server.since(begun)) >= SAMPLES)
    server.requests = server.since(begun)
    return agent, server


def test_reload_of_an_unchanged_file_changes_nothing(at_work: tuple[Agent, RealServer]) -> None:
    """No transition, no operation, counters that go on, and requests in the rhythm they had."""
    agent, server = at_work
    (before,) = agent.servers()[server.name]["checks"]
    since = agent.servers()[server.name]["since"]
    written = len(agent.written)
    reloaded_at = time.monotonic()
    agent.send(signal.SIGHUP)
    reloaded = agent.wait_for("configuration_reloaded")
    agent.until(lambda: len(server.since(reloaded_at)) >= SAMPLES)
    (after,) = agent.servers()[server.name]["checks"]

    assert (reloaded["cause"], reloaded["changed"]) == ("sighup", "false")
    assert len(agent.written) == written + 1
    assert after["done"] >= before["done"] + 9
    assert agent.servers()[server.name]["since"] == since
    earlier = [at for at in server.requests if at < reloaded_at]
    assert shift(earlier, server.since(reloaded_at), interval_s=INTERVAL_S) < RHYTHM_S
    assert agent.metric("lvs_agent_config_reloads_total") == 1


def test_storm_of_reloads_does_not_disturb_the_checks(at_work: tuple[Agent, RealServer]) -> None:
    """A SIGHUP each 100 ms leaves the checks as many and in the rhythm that they were."""
    agent, server = at_work
    earlier = list(server.requests)
    stormed_at = time.monotonic()
    for _ in range(30):
        agent.send(signal.SIGHUP)
        time.sleep(0.1)
    lasted = time.monotonic() - stormed_at
    during = server.since(stormed_at)

    assert len(agent.lines("configuration_reloaded", changed="false")) > 3
    assert agent.lines("real_server_down") == []
    assert len(agent.lines("operation_applied")) == 2
    assert len(during) == pytest.approx(lasted / INTERVAL_S, abs=2)
    assert shift(earlier, during, interval_s=INTERVAL_S) < RHYTHM_S


def test_file_put_in_the_place_of_another_is_taken_in(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """A rename needs no signal; what left the file leaves the table, by the name it had."""
    kept, left, came = real_servers(3)
    agent = start(config.write([kept, left], more='[[virtual_service]]\nname = "old"\nfwmark = 5'))
    agent.wait_for("operation_applied", operation="add_destination", real_server=left.name)
    agent.wait_for("operation_applied", operation="add_destination", real_server=kept.name)
    config.write([kept, came])
    agent.wait_for("configuration_reloaded", cause="file_changed", changed="true")
    agent.wait_for("operation_applied", operation="add_destination", real_server=came.name)
    agent.wait_for("operation_applied", operation="delete_destination", real_server=left.name)
    agent.wait_for("operation_applied", operation="delete_service", virtual_service="old")

    assert len(agent.lines("operation_applied", real_server=kept.name)) == 1
    assert set(agent.servers()) == {kept.name, came.name}


def test_broken_file_leaves_the_old_configuration_in_force(
    at_work: tuple[Agent, RealServer], config: ConfigFile
) -> None:
    """Every problem is in the log and the status, the metric says so, and a good file ends it."""
    agent, server = at_work
    good = config.path.read_text(encoding="utf-8")
    config.replace(good.replace('scheduler = "wrr"', 'schedular = "wrr"') + "weight = -1\n")
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_refused", problems="2")
    told = agent.status()["agent"]["config"]
    agent.until(lambda: agent.metric("lvs_agent_config_last_reload_successful") == 0)
    begun = time.monotonic()
    agent.until(lambda: len(server.since(begun)) > 2)
    config.replace(good)
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_reloaded")

    assert not told["last_reload_ok"]
    assert "virtual_service[web]: unknown key 'schedular'; did you mean 'scheduler'?" in told["problems"]
    assert len(agent.lines("configuration_problem")) == len(told["problems"]) == 2
    agent.until(lambda: agent.metric("lvs_agent_config_last_reload_successful") == 1)  # scrapes close by are the same
    assert agent.metric("lvs_agent_config_reload_failures_total") == 1
    assert agent.status()["agent"]["config"]["problems"] == []
    assert agent.lines("real_server_down") == []


def test_key_that_only_a_start_reads_is_named(at_work: tuple[Agent, RealServer], config: ConfigFile) -> None:
    """The log says that such a key has no effect yet."""
    agent, _ = at_work
    text = config.path.read_text(encoding="utf-8")
    config.replace(text.replace('state_dir = "state"', 'state_dir = "elsewhere"') + '[log]\nlevel = "debug"\n')
    agent.send(signal.SIGHUP)

    assert agent.wait_for("configuration_needs_restart")["keys"] == "agent.state_dir, log.level"


@pytest.mark.parametrize(
    "absurd",
    ['body_regex = "a{99999999999999999}"', f'body_regex = "{"(" * 5_000}{")" * 5_000}"', f"rise = {'9' * 5_000}"],
    ids=["count", "nesting", "number"],
)
def test_absurd_value_does_not_end_the_agent(
    at_work: tuple[Agent, RealServer], config: ConfigFile, absurd: str
) -> None:
    """A file on which Python's own libraries fail is refused like any other, and the checks continue."""
    agent, server = at_work
    good = config.path.read_text(encoding="utf-8")
    config.replace(good + f'[defaults.check]\ntype = "http"\n{absurd}\n')
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_refused")
    begun = time.monotonic()
    agent.until(lambda: len(server.since(begun)) > 2)
    config.replace(good)
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_reloaded")

    assert agent.lines("real_server_down") == []


@pytest.mark.parametrize("command", ["run", "check-config", "plan"])
def test_absurd_value_at_the_start_is_a_clear_message(tmp_path: Path, command: str) -> None:
    """Exit status 2 and a line with the place, not a traceback."""
    path = tmp_path / "config.toml"
    path.write_text('[defaults.check]\ntype = "http"\nbody_regex = "a{99999999999999999}"\n')
    ended = forkserver.run([*forkserver.COMMAND, command, "--config", path])

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {path}: ")
    assert "Traceback" not in ended.stderr


def test_reload_that_is_asked_for_while_the_agent_starts_is_made(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """SIGHUP ends a process that does not handle it: it waits until the agent does."""
    agent = start(config.write(real_servers(1)), before=("env",))
    status = Path(f"/proc/{agent.pid}/status")
    agent.until(lambda: signal.SIGHUP in blocked(status.read_text()))
    agent.send(signal.SIGHUP)

    assert agent.wait_for("configuration_reloaded")["cause"] == "sighup"
    agent.wait_until_ready()
    assert blocked(status.read_text()) == set()


def blocked(status: str) -> set[int]:
    """The signals that the main thread of a process blocks, by its /proc/PID/status."""
    (mask,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk:"))
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}
