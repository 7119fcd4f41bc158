from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lvs_agent.systemd import notify, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket and what NOTIFY_SOCKET says of it, in both kinds that there are."""
    with TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        path = str(Path(directory, "notify"))
        name = f"@{path}" if request.param == "abstract" else path
        bound.bind(name.replace("@", "\0", 1))
        bound.settimeout(5)
        yield bound, name


def test_lines_arrive_as_one_datagram(listener: tuple[socket.socket, str]) -> None:
    """A manager takes several assignments at a time."""
    bound, name = listener
    sent = notify("READY=1", "STATUS=at work", environment={"NOTIFY_SOCKET": name})

    assert sent
    assert bound.recv(4096) == b"READY=1\nSTATUS=at work"


@pytest.mark.parametrize(
    "name", ["", "notify", "vsock:2:1234", "/nonexistent/notify", "@nobody-listens-here", "/" + "x" * 200]
)
def test_nobody_to_notify_is_no_error(name: str) -> None:
    """Started by hand, or told nonsense, the agent goes on."""
    assert not notify("READY=1", environment={"NOTIFY_SOCKET": name})


def test_nobody_is_notified_without_the_variable() -> None:
    """No manager, no notification."""
    assert not notify("READY=1", environment={})


def test_manager_that_does_not_read_holds_nobody_up(listener: tuple[socket.socket, str]) -> None:
    """A full queue is given up on at once."""
    _, name = listener
    results = [notify("WATCHDOG=1", environment={"NOTIFY_SOCKET": name}) for _ in range(10_000)]

    assert results[0]
    assert not results[-1]


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"WATCHDOG_USEC": "30000000"}, 15.0, id="half"),
        pytest.param({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0, id="ours"),
        pytest.param({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None, id="of-another"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="off"),
        pytest.param({"WATCHDOG_USEC": "-5"}, None, id="negative"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="no-number"),
        pytest.param({"WATCHDOG_USEC": ""}, None, id="empty"),
    ],
)
def test_watchdog_is_fed_twice_as_often_as_asked_for(environment: dict[str, str], interval: float | None) -> None:
    """Half of what sd_watchdog_enabled(3) says, for this process only."""
    assert watchdog_interval(environment) == interval
