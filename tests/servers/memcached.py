"""Memcached with the text protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, Daemon, free_port, home, running


class Memcached(NamedTuple):
    """The daemon, and its port."""

    daemon: Daemon
    port: int


@contextmanager
def memcached() -> Iterator[Memcached]:
    """The server."""
    port = free_port()
    command = ["memcached", "-l", ADDRESS, "-p", str(port), "-U", "0", "-m", "8", "-t", "1"]
    with home("memcached") as directory, running(command, home=directory, ready=port, user="nobody") as daemon:
        yield Memcached(daemon, port)
