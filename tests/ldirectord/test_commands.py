"""Commands with an ldirectord.cf where a configuration is asked for."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.agents import answering
from tests.cli.commands import here, lvs_agent
from tests.cli.test_status import world
from tests.process.agent import Agent

GOOD = """\
checktimeout=2
checkinterval=2
autoreload=yes
virtual=127.0.0.9:8099
\treal=127.0.0.2:8098 masq 3
\treal=127.0.0.3 masq
\tchecktype=connect
"""
ODD = GOOD.replace("\treal", "  real")
TABLE = """\
-A -t 127.0.0.9:8099 -s wrr
-a -t 127.0.0.9:8099 -r 127.0.0.2:8098 -m -w 3
-a -t 127.0.0.9:8099 -r 127.0.0.3:8099 -m -w 1
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file as ldirectord takes it."""
    path = tmp_path / "ldirectord.cf"
    path.write_text(GOOD)
    return path


def test_plan_prints_the_table_of_the_file(config: Path) -> None:
    """The name alone says how it is written."""
    run = here("plan", "--config", config, "--ipvs", "memory", "--assume", "up", "--format", "ipvsadm")

    assert (run.returncode, run.stdout) == (0, TABLE)


def test_check_without_its_library_is_a_warning(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that asks for it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    lines = [
        "virtual=192.0.2.1:5432", "real=192.0.2.11:5432 gate", "service=pgsql", "checktype=negotiate", "login=monitor",
        "request=SELECT 1", "checktimeout=2",
    ]  # fmt: skip
    config.write_text("\n\t".join(lines) + "\n")
    run = here("check-config", "--config", config)

    assert run.returncode == 0
    assert f"{config}: line 3: pgsql checks need a library that is not installed" in run.stderr


def test_format_is_what_the_option_says(config: Path) -> None:
    """Under whatever name."""
    other = config.rename(config.with_name("balancer"))
    arguments = ("plan", "--config", other, "--ipvs", "memory", "--assume", "up", "--format", "ipvsadm")

    assert here(*arguments, "--config-format", "ldirectord").stdout == TABLE
    assert here(*arguments).returncode == 2


def test_check_config_says_what_is_odd_and_takes_it(config: Path) -> None:
    """Warnings name the line, and the file is good."""
    config.write_text(ODD)
    run = here("check-config", "--config", config)

    assert run.returncode == 0
    assert run.stdout == "ok: 1 virtual service, 2 real servers, 2 checks\n"
    assert f"warning: {config}: line 5: ldirectord requires an indentation of four blanks or a tab" in run.stderr


def test_check_config_says_everything_that_is_wrong(config: Path) -> None:
    """What the text has, and what only its meaning has, in the order of lines."""
    config.write_text(
        f"{GOOD}\tscheduler=wwr\nvirtual=8\n\treal=192.0.2.1 gate 1\n\tchecktype=on\n\tfailurecount=5000\n"
    )
    run = here("check-config", "--config", config)

    assert run.returncode == 2
    assert [line.removeprefix(f"error: {config}: ")[:24] for line in run.stderr.splitlines()] == [
        "line 8: scheduler must b",
        "line 12: failurecount: m",
    ]


def test_warnings_are_problems_when_strict(config: Path) -> None:
    """As with a TOML file: what ldirectord refuses in the file is among them, with its line."""
    config.write_text(GOOD.replace("127.0.0.3 masq", "127.0.0.3:8099 masq"))
    assert here("check-config", "--config", config, "--strict").returncode == 0

    config.write_text(ODD.replace("127.0.0.3 masq", "127.0.0.3:8099 masq"))
    run = here("check-config", "--config", config, "--strict")
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {config}: line 5: ldirectord requires an indentation")


def test_status_finds_the_agent_of_a_configuration(tmp_path: Path) -> None:
    """Where its configuration says that it listens, or its environment; --url counts more."""
    config = tmp_path / "config.toml"
    with answering(json.dumps(world()).encode()) as url:
        listen = url.removeprefix("http://127.0.0.1")
        config.write_text(f'[agent]\nlisten = "0.0.0.0{listen}"\n')
        assert here("status", "--config", config).returncode == 0
        assert here("status", "--config", config, "--url", "http://127.0.0.1:1").returncode == 1
        config.write_text('agent.listen = "127.0.0.1:1"\n')
        assert here("status", "--config", config).returncode == 1
        run = lvs_agent("status", "--config", config, environment={"LVS_AGENT_LISTEN": listen})
        assert run.returncode == 0


def test_agent_reloads_the_file_in_the_form_that_it_started_with(tmp_path: Path) -> None:
    """Under a name that says nothing: a broken change is refused, and the next good one is taken."""
    config = tmp_path / "balancer"
    config.write_text(GOOD)
    with Agent(config, "--config-format", "ldirectord", "--dry-run") as agent:
        agent.wait_for("started")
        config.write_text(GOOD.replace("masq 3", "plough 3"))
        agent.send(signal.SIGHUP)
        assert agent.wait_for("configuration_problem")["place"] == "line 5"
        config.write_text(f"{GOOD}virtual=9\n\treal=127.0.0.4:80 gate\n\tchecktype=on\n")
        agent.send(signal.SIGHUP)

        assert agent.wait_for("configuration_reloaded")["changed"] == "true"
        assert len(agent.status()["services"]) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as somebody else")
def test_commands_run_as_the_user_of_the_option(config: Path) -> None:
    """Because an ldirectord.cf cannot say it; the output of the command shows who it was."""
    config.write_text(
        "virtual=127.0.0.9:8099\n\treal=127.0.0.2:8098 masq\n\tchecktype=external\n"
        "\tcheckcommand=/bin/sh -c 'id -un; exit 1'\n"
    )
    with Agent(config, "--dry-run", "--command-user", "daemon") as agent:
        agent.wait_for("started")

        agent.until(lambda: "exit status 1: daemon" in json.dumps(agent.status()))


def test_environment_says_where_the_agent_listens(config: Path) -> None:
    """Because an ldirectord.cf cannot."""
    environment = {"LVS_AGENT_LISTEN": "nowhere"}
    run = lvs_agent("run", "--config", config, "--ipvs", "memory", "--dry-run", environment=environment)

    assert run.returncode == 2
    assert "must be an address and a port" in run.stderr
