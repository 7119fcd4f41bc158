from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.servers.daemons import ADDRESS, Daemon, accepts, family, free_port, home, needs, running, until

pytestmark = needs("util-linux", "python3")

SERVER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.fork()
while True:
    connection, _ = listener.accept()
    connection.sendall(str(os.getuid()).encode())
    connection.close()
"""
"""Two processes that tell who they are."""


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Daemon, int]]:
    """Such a server, run by a user of its own, and its port."""
    port = free_port()
    with (
        home("daemons", owner="nobody") as directory,
        running(["/usr/bin/python3", "-c", SERVER, str(port)], home=directory, ready=port, user="nobody") as daemon,
    ):
        yield daemon, port


def answer(port: int) -> bytes:
    """What the server says; nothing where it does not within half a second."""
    with socket.create_connection((ADDRESS, port), 0.5) as connection:
        try:
            return connection.recv(100)
        except TimeoutError:
            return b""


def test_daemon_runs_as_its_user(served: tuple[Daemon, int]) -> None:
    """Not as root."""
    assert answer(served[1]) not in {b"", b"0"}


def test_hung_daemon_accepts_and_says_nothing(served: tuple[Daemon, int]) -> None:
    """None of its processes does; afterwards all go on."""
    daemon, port = served
    with daemon.hung():
        assert accepts(port)
        assert answer(port) == b""

    assert answer(port)


def test_stopped_daemon_leaves_no_process(served: tuple[Daemon, int]) -> None:
    """Its descendants go with it; afterwards it is there again."""
    daemon, port = served
    until(lambda: len(family(daemon.pid)) == 2, what="both processes")
    with daemon.stopped():
        assert not accepts(port)

    assert answer(port)


def test_daemon_that_ends_at_once_is_told_with_its_words() -> None:
    """Nobody has to search for the reason."""
    with (
        home("daemons") as directory,
        pytest.raises(RuntimeError, match="no such key"),
        running(["/bin/sh", "-c", "echo no such key; exit 1"], home=directory, ready=lambda: False),
    ):
        pass
