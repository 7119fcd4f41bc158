"""The resource agent for Pacemaker: with ocf-tester, and with tests for the cases that it does not cover."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.process.agent import PATIENCE_S
from tests.process.conftest import ConfigFile
from tests.process.ldirectord import OPTIONS, PROGRAM, Ldirectord, Said, is_alive

AGENT = Path(__file__).parents[2] / "packaging" / "ocf" / "lvs-agent"
OCF_ROOT = Path("/usr/lib/ocf")
AGENT_OF_LDIRECTORD = OCF_ROOT / "resource.d" / "heartbeat" / "ldirectord"
DTD = Path("/usr/share/resource-agents/ra-api-1.dtd")
SUCCESS, ERR_GENERIC, ERR_ARGS, ERR_UNIMPLEMENTED, ERR_INSTALLED, NOT_RUNNING = 0, 1, 2, 3, 5, 7
ALWAYS_UP = """
[agent]
state_dir = "state"
[[virtual_service]]
name = "web"
address = "192.0.2.1"
port = 80
check = { type = "none" }
[[virtual_service.real_server]]
address = "127.0.0.1"
"""

pytestmark = pytest.mark.skipif(not DTD.exists(), reason="needs the package resource-agents; make test installs it")


class Resource:
    """A resource in a cluster: its parameters, and what its agent answers."""

    def __init__(self, ldirectord: Ldirectord, **parameters: str) -> None:
        self.ldirectord = ldirectord
        self.parameters = parameters

    def __call__(self, action: str, **more: str) -> Said:
        """Do ``action``; its exit code, and what it said."""
        given = {f"OCF_RESKEY_{name}": value for name, value in self.parameters.items()}
        done = subprocess.run(
            [AGENT, action],
            env={**self.environment, **given, **more, "__OCF_ACTION": action},
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    @property
    def environment(self) -> dict[str, str]:
        """That of every resource agent."""
        own = {name: value for name, value in self.ldirectord.environment.items() if name != "LVS_AGENT_OPTIONS"}
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        # Not the directories of a cluster that may run here.
        private = {"HA_RSCTMP": str(self.ldirectord.directory), "HA_LOGFILE": str(self.ldirectord.directory / "ha.log")}
        return {**os.environ, **own, **private, "PATH": path, "OCF_ROOT": str(OCF_ROOT), "OCF_RESOURCE_INSTANCE": "lvs"}


@pytest.fixture
def resource(tmp_path: Path, config: ConfigFile) -> Iterator[Resource]:
    """A resource with a configuration that can be used."""
    ldirectord = Ldirectord(tmp_path)
    config.replace(ALWAYS_UP)
    yield Resource(ldirectord, config=str(config.path), binary=str(PROGRAM), options=OPTIONS)
    ldirectord.end_all()


def run_tester(resource: Resource, agent: Path, **more: str) -> tuple[int, str]:
    """The exit code and the output of ocf-tester."""
    parameters = [word for name, value in resource.parameters.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run(
        ["ocf-tester", "-n", "lvs", *parameters, agent],
        env={**resource.environment, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=150,
    )
    return done.returncode, done.stdout


def test_ocf_tester_has_nothing_to_say(resource: Resource, shared_directory: Path) -> None:
    """The tester of the makers of resource agents, with everything that it does."""
    installed = Path(shutil.copy(AGENT, shared_directory))  # it is also run as a user who may not read our sources
    code, said = run_tester(resource, installed)

    assert code == 0, said
    assert "passed all tests" in said
    assert "rc=" not in said


def test_agent_of_ldirectord_can_run_us_too(resource: Resource, config: ConfigFile) -> None:
    """A cluster may keep even the type of its resource, and name lvs-ldirectord as its program."""
    resource.parameters = {"configfile": str(config.path), "ldirectord": str(PROGRAM)}
    code, said = run_tester(resource, AGENT_OF_LDIRECTORD, LVS_AGENT_OPTIONS=OPTIONS)

    assert code == 0, said


def test_meta_data_is_valid(resource: Resource) -> None:
    """By the document type that Pacemaker's tools read it with; every parameter that is read is described."""
    said = resource("meta-data")
    checked = subprocess.run(
        ["xmllint", "--noout", "--nonet", "--valid", "-"],
        cwd=DTD.parent,
        input=said.out,
        capture_output=True,
        text=True,
        check=False,
    )
    told = {parameter.get("name", "") for parameter in ET.fromstring(said.out).iter("parameter")}
    read = set(re.findall(r"\$\{OCF_RESKEY_(\w+)", AGENT.read_text()))

    assert (said.code, checked.returncode, checked.stderr) == (0, 0, "")
    assert told == read


def test_parameters_of_the_agent_of_ldirectord_mean_the_same(resource: Resource, config: ConfigFile) -> None:
    """Only the type of the resource changes; the path of the Perl program that may be there is no hindrance."""
    resource.parameters = {"configfile": str(config.path), "ldirectord": "/usr/sbin/ldirectord", "options": OPTIONS}
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    codes = [resource(action, PATH=path).code for action in ("validate-all", "start", "monitor", "stop", "monitor")]

    assert codes == [SUCCESS, SUCCESS, SUCCESS, SUCCESS, NOT_RUNNING]


def test_program_can_be_named_as_for_ldirectord(resource: Resource) -> None:
    """Where it is ours."""
    resource.parameters["ldirectord"] = resource.parameters.pop("binary")

    assert resource("start").code == SUCCESS
    assert resource("monitor").code == SUCCESS


def test_monitor_tells_what_hangs_from_what_is_stopped(resource: Resource) -> None:
    """A cluster must stop the one before it starts it again, here or elsewhere."""
    resource("start")
    pid = resource.ldirectord.pid
    os.kill(pid, signal.SIGSTOP)
    hanging = resource("monitor")
    os.kill(pid, signal.SIGKILL)
    wait_for_the_end_of(pid)
    crashed = resource("monitor")

    assert hanging.code == ERR_GENERIC
    assert "is running but not working" in hanging.err
    assert crashed.code == NOT_RUNNING
    assert resource("start").code == SUCCESS


def test_deeper_monitor_looks_at_the_table(resource: Resource) -> None:
    """From OCF_CHECK_LEVEL 10 on, an agent that only observes, for example, does not pass."""
    resource("start")
    good = resource("monitor", OCF_CHECK_LEVEL="10")
    resource("stop")
    resource.parameters["options"] += " --dry-run"
    resource("start", LVS_LDIRECTORD_START_TIMEOUT="0")
    shallow, deep = resource("monitor"), resource("monitor", OCF_CHECK_LEVEL="10")

    assert (good.code, shallow.code, deep.code) == (SUCCESS, SUCCESS, ERR_GENERIC)


@pytest.mark.parametrize("text", [pytest.param("broken", id="broken"), pytest.param(None, id="missing")])
def test_stop_succeeds_whatever_became_of_the_configuration(
    resource: Resource, config: ConfigFile, text: str | None
) -> None:
    """A node is fenced if its resource cannot be stopped; a typing error must not cause that."""
    resource("start")
    pid = resource.ldirectord.pid
    if text is None:
        config.path.unlink()
    else:
        config.replace(text)
    codes = [resource(action).code for action in ("monitor", "stop", "monitor", "stop")]

    assert codes == [SUCCESS, SUCCESS, NOT_RUNNING, SUCCESS]
    assert not is_alive(pid)


def test_agent_that_hangs_is_stopped(resource: Resource) -> None:
    """By force, after its time."""
    resource("start")
    pid = resource.ldirectord.pid
    os.kill(pid, signal.SIGSTOP)
    said = resource("stop", LVS_LDIRECTORD_STOP_TIMEOUT="0.2")

    assert said.code == SUCCESS
    assert not is_alive(pid)


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        pytest.param(
            {"config": "/nowhere/web.toml"},
            ERR_INSTALLED,
            "the configuration /nowhere/web.toml does not exist",
            id="no file",
        ),
        pytest.param({"binary": "/nowhere/program"}, ERR_INSTALLED, "install lvs-agent", id="no program"),
        pytest.param({"broken": "yes"}, ERR_ARGS, "did you mean 'scheduler'?", id="broken file"),
    ],
)
def test_what_cannot_be_started_is_told_with_its_reason(
    resource: Resource, config: ConfigFile, parameters: dict[str, str], code: int, words: str
) -> None:
    """With codes that let the cluster try another node, which may have what is missing here."""
    if parameters.pop("broken", None):
        config.replace('[[virtual_service]]\naddress = "192.0.2.1"\nport = 80\nschedular = "rr"\n')
    resource.parameters |= parameters
    validated, started = resource("validate-all"), resource("start")

    assert validated.code == started.code == code
    assert words in validated.err
    assert resource("stop").code == SUCCESS


def test_reload_takes_the_configuration_in(resource: Resource, config: ConfigFile) -> None:
    """Without a new process; of what is stopped there is nothing to reload."""
    stopped = resource("reload")
    resource("start")
    pid = resource.ldirectord.pid
    config.replace(ALWAYS_UP + "[[virtual_service]]\nfwmark = 5\n")
    running = resource("reload")

    assert (stopped.code, running.code) == (NOT_RUNNING, SUCCESS)
    assert resource.ldirectord.pid == pid
    assert len(resource.ldirectord.get("/api/v1/status").json()["services"]) == 2


def test_listen_and_log_are_parameters(resource: Resource) -> None:
    """A second agent on a node needs its own."""
    resource.parameters |= {"listen": "127.0.0.2:0", "options": "--ipvs memory"}
    resource.parameters["logfile"] = str(resource.ldirectord.directory / "other.log")
    resource("start")

    assert str(resource.ldirectord.get("/livez").url).startswith("http://127.0.0.2:")
    assert "event=started" in (resource.ldirectord.directory / "other.log").read_text()


def test_action_that_is_unknown_is_refused(resource: Resource) -> None:
    """With the code for it."""
    assert resource("promote").code == ERR_UNIMPLEMENTED


def wait_for_the_end_of(pid: int) -> None:
    """Return when there is no such process any more."""
    give_up = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < give_up
        time.sleep(0.02)
