"""The demonstration from its first line to its end, on a table in memory."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from tests.cli.commands import here, lvs_agent

USUAL_PORT = 9659


@pytest.fixture
def usual_port_in_use() -> Iterator[None]:
    """Somebody has the port that the demonstration would take."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", USUAL_PORT))
            other.listen()
        except OSError:
            pass  # then it is in use already
        yield


@pytest.mark.usefixtures("usual_port_in_use")
def test_demonstration_shows_a_removal_the_sorry_server_and_a_recovery() -> None:
    """One round ends without a signal; where the usual port is taken it says so and takes another."""
    run = lvs_agent("demo", "--memory", "--rounds", "1", "--step", "0.5")
    sorry = re.findall(r"-a -t 192\.0\.2\.100:80 -r (127\.0\.0\.14:\d+) -m -w 1", run.stdout)

    assert run.returncode == 0
    assert f"port {USUAL_PORT} is in use" in run.stdout
    assert re.search(r"http://127\.0\.0\.1:(\d+)/ and http://127\.0\.0\.1:\1/metrics show it", run.stdout)
    assert "event=real_server_down virtual_service=demo" in run.stderr
    assert f"virtual_service=demo real_server={sorry[0]} operation=add_destination" in run.stderr
    assert f"virtual_service=demo real_server={sorry[0]} operation=delete_destination" in run.stderr
    assert "event=real_server_up virtual_service=demo" in run.stderr
    assert "previous=down" in run.stderr
    assert run.stderr.splitlines()[-1].endswith("event=stopped")
    assert "\x1b" not in run.stdout


def test_demonstration_insists_on_a_place_that_was_asked_for() -> None:
    """An address given with --listen is meant."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        run = lvs_agent("demo", "--memory", "--rounds", "1", "--listen", place)

    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        f"error: cannot listen on {place}: another program listens there; stop it, or choose another port with --listen"
    ]


def test_demonstration_takes_steps_that_can_be_followed() -> None:
    """Shorter steps than its checks need would show nothing."""
    assert here("demo", "--step", "0.1").returncode == 2
