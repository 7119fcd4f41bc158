"""The agent under a service manager: notifications over a real socket, and the watchdog."""

from __future__ import annotations

import select
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.process.agent import PATIENCE_S
from tests.process.conftest import ConfigFile, StartAgent, StartServers

WATCHDOG_S = 2.0


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """The socket of a service manager, at a path that is short enough for one."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(Path(directory, "notify")))
        listener.settimeout(PATIENCE_S)
        yield listener


def environment(manager: socket.socket) -> dict[str, str]:
    """The environment that a service manager with a watchdog sets."""
    return {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1_000_000))}


def told(manager: socket.socket) -> list[str]:
    """The lines of the next datagram."""
    return manager.recv(4096).decode().splitlines()


def drain(manager: socket.socket) -> int:
    """How many datagrams wait."""
    count = 0
    while select.select([manager], [], [], 0)[0]:
        manager.recv(4096)
        count += 1
    return count


def test_manager_hears_of_readiness_life_and_end(
    manager: socket.socket, config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """READY=1 once, WATCHDOG=1 more often than asked for, STOPPING=1 at the end."""
    agent = start(config.write(real_servers(1)), environment=environment(manager))
    heard: list[list[str]] = []
    arrived: list[float] = []
    while len(arrived) < 3 or not any("READY=1" in lines for lines in heard):
        heard.append(told(manager))
        if heard[-1] == ["WATCHDOG=1"]:
            arrived.append(time.monotonic())
    agent.end()
    while heard[-1] != ["STOPPING=1"]:
        heard.append(told(manager))

    ready = [lines for lines in heard if "READY=1" in lines]
    address = agent.wait_for("started")["listen"]
    assert ready == [["READY=1", f"STATUS=serving /metrics on {address}"]]
    assert max(later - earlier for earlier, later in pairwise(arrived)) < WATCHDOG_S
    assert drain(manager) == 0


def test_watchdog_is_not_fed_by_a_process_that_does_nothing(
    manager: socket.socket, config: ConfigFile, start: StartAgent
) -> None:
    """A stopped process is silent, and goes on when it is continued."""
    agent = start(config.replace(""), environment=environment(manager))
    while "READY=1" not in told(manager):
        pass
    agent.send(signal.SIGSTOP)
    time.sleep(0.2)
    drain(manager)
    time.sleep(1.5)
    while_stopped = drain(manager)
    agent.send(signal.SIGCONT)

    assert while_stopped == 0
    assert told(manager) == ["WATCHDOG=1"]
    assert agent.end() == 0
