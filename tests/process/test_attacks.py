"""Clients that want to keep the agent from its work, all at once."""

from __future__ import annotations

import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import httpx

from tests.process.agent import PATIENCE_S, Agent
from tests.process.conftest import ConfigFile, StartAgent, StartServers
from tests.web.pki import Authority

COST = 12
SCRAPES = 25
MOST_MIB = 96
"""All the attacks together; 512 connections with TLS take two thirds of it."""
RIGHT = ("ann", "one")


def write(directory: Path) -> ssl.SSLContext:
    """Write ``web.yml`` with TLS and a user whose password takes as long as usual; what its clients need."""
    authority = Authority(directory / "ca.crt")
    authority.issue(directory / "a.crt", directory / "a.key", "127.0.0.1")
    slow = bcrypt.hashpw(b"one", bcrypt.gensalt(COST)).decode()
    (directory / "web.yml").write_text(
        f"tls_server_config: {{cert_file: a.crt, key_file: a.key}}\nbasic_auth_users: {{ann: {slow}}}\n"
    )
    return ssl.create_default_context(cafile=authority.path)


def password_s() -> float:
    """How long one password takes here and now: the least that a scrape would take if it waited for a guess."""
    salt, began = bcrypt.gensalt(COST), time.monotonic()
    bcrypt.hashpw(b"x", salt)
    return time.monotonic() - began


def memory_mib(pid: int) -> float:
    """Resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    (kib,) = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    return kib / 1_024


@contextmanager
def attackers(host: str, port: str) -> Iterator[None]:
    """They attack within the block."""
    command = [sys.executable, "-m", "tests.process.attackers", host, port]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        guesses, _ = process.communicate()
    assert int(guesses) > 5


@contextmanager
def prometheus(agent: Agent, context: ssl.SSLContext) -> Iterator[Callable[[], list[float]]]:
    """A client that scrapes on one connection, with the right password; gives the seconds that scrapes take."""
    url = agent.url.replace("http:", "https:")
    with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE_S, auth=RIGHT) as client:

        def scrape() -> list[float]:
            times = []
            for _ in range(SCRAPES):
                began = time.monotonic()
                assert client.get(f"{url}/metrics").status_code == 200
                times.append(time.monotonic() - began)
                time.sleep(0.1)
            return times

        yield scrape


def test_clients_that_attack_hinder_neither_scrapes_nor_checks(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Idle and half-begun connections, stalled handshakes, guesses and endless headers, all at once."""
    context = write(config.path.parent)
    servers = real_servers(3)
    agent = start(config.write(servers, timeout="5s", agent='web_config_file = "web.yml"'))
    agent.wait_for("real_server_up", count=3)
    host, _, port = agent.wait_for("started")["listen"].rpartition(":")
    with prometheus(agent, context) as scrape:
        scrape()
        usual_s = statistics.median(scrape())
        before_mib, seen = memory_mib(agent.pid), [len(server.requests) for server in servers]
        with attackers(host, port):
            attacked_s = statistics.median(scrape())
            after_mib = memory_mib(agent.pid)
        made = [len(server.requests) - count for server, count in zip(servers, seen, strict=True)]

    assert attacked_s < max(2 * usual_s, password_s())
    assert after_mib - before_mib < MOST_MIB
    assert min(made) > 5
    assert agent.lines("real_server_down") == []
    assert agent.end() == 0
