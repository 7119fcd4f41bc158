"""Every command but ``run`` and ``demo``: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import tomli
from jsonschema import Draft202012Validator

from lvs_agent import __version__
from tests.cli.commands import here, lvs_agent
from tests.forkserver import COMMAND

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"
COMMANDS = ("check-config", "completion", "convert", "demo", "events", "plan", "run", "schema", "status", "why")

TWO_SERVERS = """
[[virtual_service]]
name = "web"
address = "192.0.2.1"
port = 80
scheduler = "wrr"
sorry_server = { address = "10.0.0.99" }
[[virtual_service.real_server]]
address = "10.0.0.1"
weight = 3
[[virtual_service.real_server]]
address = "10.0.0.2"
"""

EVERY_KIND = """
[[virtual_service]]
address = "1.2.3.4"
port = 80
scheduler = "sh"
scheduler_flags = ["sh-port", "sh-fallback"]
persistence = { timeout = "10m", netmask = "255.255.255.0" }
forwarding = "tunnel"
[[virtual_service.real_server]]
address = "5.6.7.8"
weight = 3
tunnel = { type = "gue", port = 6080, checksum = "csum" }
[[virtual_service.real_server]]
address = "5.6.7.9"
tunnel = { type = "gre" }
[[virtual_service.real_server]]
address = "5.6.7.11"

[[virtual_service]]
fwmark = 10
family = "inet6"
scheduler = "wrr"
persistence = { timeout = "6m", prefix_length = 64 }

[[virtual_service]]
protocol = "udp"
address = "1.2.3.5"
port = 5060
scheduler = "mh"
scheduler_flags = ["mh-port"]
persistence = { timeout = "10m", engine = "sip" }

[[virtual_service]]
protocol = "udp"
address = "2001:db8::53"
port = 53
scheduler = "mh"
scheduler_flags = ["mh-fallback"]
one_packet = true

[[virtual_service]]
protocol = "sctp"
address = "1.2.3.4"
port = 90
scheduler = "rr"

[[virtual_service]]
address = "1.2.3.6"
port = 80
forwarding = "masquerade"
[[virtual_service.real_server]]
address = "5.6.7.10"
port = 8080
"""

AS_IPVSADM = """\
-A -t 1.2.3.4:80 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port
-a -t 1.2.3.4:80 -r 5.6.7.8:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-csum
-a -t 1.2.3.4:80 -r 5.6.7.9:80 -i -w 1 --tun-type gre --tun-nocsum
-a -t 1.2.3.4:80 -r 5.6.7.11:80 -i -w 1 --tun-type ipip
-A -f 10 -6 -s wrr -p 360 -M 64
-A -u 1.2.3.5:5060 -s mh -p 600 --pe sip -b mh-port
-A -u [2001:db8::53]:53 -s mh -o -b mh-fallback
-A --sctp-service 1.2.3.4:90 -s rr
-A -t 1.2.3.6:80 -s wlc
-a -t 1.2.3.6:80 -r 5.6.7.10:8080 -m -w 1
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two real servers and a sorry server."""
    path = tmp_path / "config.toml"
    path.write_text(TWO_SERVERS)
    return path


# --- help -----------------------------------------------------------------------------------------------------------


def test_help_names_every_command() -> None:
    """The first thing that somebody reads is complete, and no line is cut off."""
    run = here("--help")

    assert run.returncode == 0
    assert all(f"\n  {command} " in run.stdout for command in COMMANDS)
    assert "..." not in run.stdout.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_says_what_it_does(command: str) -> None:
    """A sentence, and a text for every option."""
    run = here(command, "--help")
    options = run.stdout.partition("\nOptions:\n")[2]

    assert run.returncode == 0
    assert f"Usage: lvs-agent {command}" in run.stdout
    assert all(len(line.split("  ")) > 1 or line.startswith("   ") for line in options.splitlines())


@pytest.mark.parametrize(
    ("command", "defaults"),
    [
        ("run", ["/etc/lvs-agent/config.toml", "(agent.listen)", "kernel", "/proc", "(log.format)", "(log.level)"]),
        ("check-config", ["/etc/lvs-agent/config.toml"]),
        ("plan", ["kernel", "operations", "/proc"]),
        ("status", ["http://127.0.0.1:9659", "5.0"]),
        ("demo", ["(127.0.0.1:9659, or any free port)", "5.0", "0"]),
    ],
)
def test_help_tells_the_defaults(command: str, defaults: list[str]) -> None:
    """What happens without an option can be read, wherever the line is broken."""
    shown = "".join(here(command, "--help").stdout.split())

    assert [one for one in defaults if f"default:{one.replace(' ', '')}" not in shown] == []


def test_version_is_the_packages() -> None:
    """What is printed is what is installed."""
    assert here("--version").stdout.split()[-1] == __version__


# --- check-config ---------------------------------------------------------------------------------------------------


def test_check_config_counts_what_is_there(config: Path) -> None:
    """A configuration that can be used is summed up."""
    run = here("check-config", "--config", config)

    assert (run.returncode, run.stdout, run.stderr) == (0, "ok: 1 virtual service, 2 real servers, 2 checks\n", "")


def test_check_config_says_every_problem(config: Path) -> None:
    """All of them at once, each with file and place, and nothing on standard output."""
    config.write_text(TWO_SERVERS.replace('"wrr"', '"wr"').replace("weight = 3", "weight = -3\ncolour = 1"))
    run = here("check-config", "--config", config)

    assert run.returncode == 2
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 3
    assert all(line.startswith(f"error: {config}: virtual_service[web]") for line in run.stderr.splitlines())


def test_warnings_are_problems_only_when_strict(config: Path) -> None:
    """A warning goes to standard error and does not make a configuration unusable, unless it is to."""
    config.write_text(TWO_SERVERS + 'check = { interval = "1s", timeout = "2s" }\n')
    lenient, strict = here("check-config", "--config", config), here("check-config", "--strict", "--config", config)

    assert (lenient.returncode, strict.returncode) == (0, 2)
    assert lenient.stderr.startswith(f"warning: {config}: virtual_service[web]")
    assert lenient.stdout.startswith("ok: ")
    assert strict.stderr == lenient.stderr.replace("warning:", "error:")


def test_name_of_no_metric_is_a_warning(config: Path) -> None:
    """What is to be dropped and is not there is said, with the nearest name that is."""
    config.write_text(TWO_SERVERS + '[metrics]\ndrop = ["lvs_real_server_ups", "lvs_sysctl"]\n')
    lenient, strict = here("check-config", "--config", config), here("check-config", "--strict", "--config", config)

    said = f"{config}: metrics.drop: no metric is called 'lvs_real_server_ups'; did you mean 'lvs_real_server_up'?\n"
    assert (lenient.returncode, lenient.stderr) == (0, f"warning: {said}")
    assert (strict.returncode, strict.stderr) == (2, f"error: {said}")


def test_configuration_may_be_named_in_the_environment(config: Path) -> None:
    """A service file needs no option."""
    assert lvs_agent("check-config", environment={"LVS_AGENT_CONFIG": str(config)}).returncode == 0


# --- plan -----------------------------------------------------------------------------------------------------------


def planned(config: Path, *arguments: str) -> list[tuple[str, str | None]]:
    """Operation and real server of each line of a plan on an empty table."""
    run = here("plan", "--ipvs", "memory", "--config", config, "--json", *arguments)

    assert run.returncode == 0
    return [(one["operation"], one.get("real_server")) for one in json.loads(run.stdout)["operations"]]


@pytest.mark.parametrize(
    ("assume", "destinations"),
    [
        ("up", ["10.0.0.1:80", "10.0.0.2:80"]),
        ("down", ["10.0.0.99:80"]),
        ("kernel", ["10.0.0.99:80"]),
    ],
)
def test_plan_follows_from_what_is_assumed(assume: str, destinations: list[str], config: Path) -> None:
    """With nobody up, the sorry server; what an empty kernel has, is not up."""
    assert planned(config, "--assume", assume) == [
        ("add_service", None),
        *(("add_destination", destination) for destination in destinations),
    ]


def test_plan_for_programs_has_the_words_of_the_log(config: Path) -> None:
    """The same keys as in the log and the API."""
    run = here("plan", "--ipvs", "memory", "--config", config, "--assume", "up", "--json")

    assert json.loads(run.stdout)["operations"][1] == {
        "operation": "add_destination",
        "virtual_service": "web",
        "real_server": "10.0.0.1:80",
        "forwarding": "direct",
        "weight": 3,
    }


def test_plan_for_people_is_a_table_without_escape_codes(config: Path) -> None:
    """Not on a terminal: plain words in columns, a line an operation, and their number."""
    run = here("plan", "--ipvs", "memory", "--config", config, "--assume", "up")
    header, *rows, count = run.stdout.splitlines()

    assert "\x1b" not in run.stdout
    assert header.split() == ["operation", "virtual_service", "real_server", "scheduler", "forwarding", "weight"]
    assert rows[1].split() == ["add_destination", "web", "10.0.0.1:80", "direct", "3"]
    assert (len(rows), count) == (3, "3 operations")


def test_plan_without_operations_says_so(config: Path) -> None:
    """Nothing to do is an answer too."""
    config.write_text("")
    run = here("plan", "--ipvs", "memory", "--config", config)

    assert run.stdout == "nothing to do: the table is in sync\n"


def test_plan_prints_the_table_as_ipvsadm_would(tmp_path: Path) -> None:
    """Every kind of service, destination and tunnel, in the words of ``ipvsadm -S -n``."""
    path = tmp_path / "config.toml"
    path.write_text(EVERY_KIND)
    run = here("plan", "--ipvs", "memory", "--config", path, "--assume", "up", "--format", "ipvsadm")

    assert run.stdout == AS_IPVSADM


# --- terminals ------------------------------------------------------------------------------------------------------


def on_a_terminal(*arguments: object, environment: Mapping[str, str]) -> str:
    """What a command prints on a terminal."""
    primary, secondary = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "200", **environment},
        stdin=subprocess.DEVNULL,
        stdout=secondary,
    ) as process:
        os.close(secondary)
        chunks = []
        try:
            while chunk := os.read(primary, 4096):
                chunks.append(chunk)
        except OSError:
            pass  # EIO: nobody has the other end any more
        finally:
            os.close(primary)
    assert process.returncode == 0
    return b"".join(chunks).decode()


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(environment: dict[str, str], *, coloured: bool, config: Path) -> None:
    """Green is what is added, unless NO_COLOR (no-color.org) or the terminal is against it."""
    shown = on_a_terminal("plan", "--ipvs", "memory", "--config", config, environment=environment)

    assert "add_destination" in shown
    assert ("\x1b[32m" in shown) is coloured


# --- schema ---------------------------------------------------------------------------------------------------------


def test_schema_is_valid_and_takes_the_example() -> None:
    """An editor that uses it finds no fault with the example, and faults with mistakes."""
    schema = json.loads(here("schema").stdout)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)

    assert list(validator.iter_errors(tomli.loads(EXAMPLE.read_text(encoding="utf-8")))) == []
    assert list(validator.iter_errors({"agent": {"lisen": "127.0.0.1:9659"}})) != []


def test_output_may_be_cut_off() -> None:
    """A reader that goes away early causes no traceback."""
    run = subprocess.run(
        f"{' '.join(COMMAND)} schema | true", shell=True, capture_output=True, text=True, timeout=30, check=False
    )

    assert run.stderr == ""


# --- completion -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_for_the_shell(shell: str) -> None:
    """Each shell has its own."""
    run = here("completion", shell)

    assert run.returncode == 0
    assert f"{shell}_complete" in run.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lvs-agent", "che"], ["check-config"]),
        (["lvs-agent", "plan", "--assume", ""], ["up", "down", "kernel"]),
        (["lvs-agent", "run", "--dry"], ["--dry-run"]),
    ],
    ids=["command", "value", "option"],
)
def test_bash_completes(words: list[str], expected: list[str], tmp_path: Path) -> None:
    """The script, read by a real bash, offers what there is."""
    program = tmp_path / "lvs-agent"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "completion").write_text(here("completion", "bash").stdout)
    asked = (
        f"source {tmp_path}/completion; COMP_WORDS=({' '.join(word or chr(39) * 2 for word in words)}); "
        f"COMP_CWORD={len(words) - 1}; _lvs_agent_completion lvs-agent; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    run = subprocess.run(
        ["bash", "--norc", "-c", asked],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert run.stdout.split() == expected
