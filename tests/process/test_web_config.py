"""The web configuration file and --observe, on the whole agent."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import here, lvs_agent
from tests.process.agent import PATIENCE_S, Agent
from tests.process.conftest import ConfigFile, StartAgent
from tests.web.pki import Authority
from tests.web.test_passwords import hashed

USERS = f"basic_auth_users: {{ann: {hashed('one')}}}\n"


def write(directory: Path) -> ssl.SSLContext:
    """Write ``web.yml`` with TLS and a user; what its clients need."""
    authority = Authority(directory / "ca.crt")
    authority.issue(directory / "a.crt", directory / "a.key", "127.0.0.1")
    (directory / "web.yml").write_text(f"tls_server_config: {{cert_file: a.crt, key_file: a.key}}\n{USERS}")
    return ssl.create_default_context(cafile=authority.path)


def secured(agent: Agent) -> str:
    """Where it listens."""
    return agent.url.replace("http:", "https:")


@pytest.mark.parametrize("by", ["configuration", "option"])
def test_agent_serves_by_its_web_configuration(config: ConfigFile, start: StartAgent, by: str) -> None:
    """TLS and passwords hold from the first answer on, and through a reload."""
    directory = config.path.parent
    context = write(directory)
    file = directory / "web.yml"
    path = config.write(agent='web_config_file = "web.yml"' if by == "configuration" else "")
    agent = start(path, *(() if by == "configuration" else ("--web-config-file", str(file))))

    with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE_S, auth=("ann", "one")) as client:
        agent.until(lambda: client.get(f"{secured(agent)}/readyz").status_code == 200)
        assert client.get(f"{secured(agent)}/metrics", auth=("ann", "two")).status_code == 401
        config.write(agent='web_config_file = "web.yml"' if by == "configuration" else "", more="# changed")
        agent.send(signal.SIGHUP)
        agent.wait_for("configuration_reloaded")
        file.write_text(file.read_text().replace(USERS, f"basic_auth_users: {{bob: {hashed('two')}}}\n"))
        agent.until(lambda: client.get(f"{secured(agent)}/metrics", auth=("bob", "two")).status_code == 200)
        assert client.get(f"{secured(agent)}/metrics").status_code == 401
    assert agent.lines("configuration_needs_restart") == []
    assert agent.end() == 0
    assert not any(secret in "".join(agent.written) for secret in ("$2b$", "PRIVATE"))


@pytest.mark.parametrize("command", [["run", "--ipvs", "memory", "--listen", "127.0.0.1:0"], ["check-config"]],
                         ids=["run", "check-config"])  # fmt: skip
def test_broken_web_configuration_is_no_start(config: ConfigFile, command: list[str]) -> None:
    """Every problem, with the file and the place; the same words from both commands."""
    directory = config.path.parent
    write(directory)
    (directory / "a.crt").unlink()
    (directory / "a.key").write_text("rubbish")
    path = config.write(agent='web_config_file = "web.yml"')

    ended = lvs_agent(*command, "--config", path)

    cert = directory / "a.crt"
    place = f"error: {directory / 'web.yml'}: tls_server_config.cert_file"
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"{place}: {cert} cannot be read: No such file or directory\n"


def test_check_config_is_content_with_a_good_one(config: ConfigFile) -> None:
    """It reads the certificates as well."""
    write(config.path.parent)

    assert here("check-config", "--config", config.write(agent='web_config_file = "web.yml"')).returncode == 0


def test_observer_needs_no_configuration() -> None:
    """Without the usual file every default holds."""
    command = [sys.executable, "-m", "lvs_agent", "run", "--observe", "--ipvs", "memory", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        listen = line.split("listen=")[1].split()[0]
        answer = httpx.get(f"http://{listen}/metrics", timeout=PATIENCE_S, trust_env=False)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)

    assert "writes=false" in line
    assert "lvs_agent_active 0" in answer.text


def test_observer_takes_no_service_of_its_configuration(config: ConfigFile, start: StartAgent) -> None:
    """[agent], [metrics] and [log] hold; virtual services do not, not even after a reload, and nothing is kept."""
    agent = start(config.write(), "--observe")
    agent.wait_until_ready()
    config.write(more='[metrics]\ndrop = ["lvs_agent_active"]')
    agent.send(signal.SIGHUP)
    agent.until(lambda: "lvs_agent_active" not in agent.get("/metrics").text)

    assert agent.status()["services"] == []
    assert agent.end() == 0
    assert not (config.path.parent / "state").exists()


def test_observer_with_a_named_file_that_is_missing_does_not_start(tmp_path: Path) -> None:
    """The defaults are not used instead of a file that was named."""
    ended = here("run", "--observe", "--ipvs", "memory", "--config", tmp_path / "x.toml")

    assert ended.returncode == 2
    assert ended.stderr == f"error: {tmp_path / 'x.toml'}: the path does not exist; set another one with --config\n"


@pytest.mark.ipvs
def test_observer_says_which_capability_is_missing() -> None:
    """With CAP_NET_ADMIN alone it runs; without, it says so."""
    bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
    ended = lvs_agent("run", "--observe", "--listen", "127.0.0.1:0", before=bare)

    assert ended.returncode == 1
    assert "CAP_NET_ADMIN" in ended.stderr
