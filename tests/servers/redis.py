"""Redis: a master that wants a password, and a replica of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, Daemon, free_port, home, running

PASSWORD = "s3cret"

_USER = "redis"


class Redis(NamedTuple):
    """A daemon, and its port."""

    daemon: Daemon
    port: int


@contextmanager
def redis(*, replica_of: int | None = None) -> Iterator[Redis]:
    """A server; ``replica_of`` is the port of its master."""
    port = free_port()
    master = [] if replica_of is None else ["--replicaof", ADDRESS, str(replica_of), "--masterauth", PASSWORD]
    with home("redis", owner=_USER) as directory:
        command: list[str | Path] = [
            "redis-server", "--port", str(port), "--bind", ADDRESS, "--dir", directory, "--save", "",
            "--requirepass", PASSWORD, "--repl-diskless-sync-delay", "0", *master,
        ]  # fmt: skip
        with running(command, home=directory, ready=port, user=_USER) as daemon:
            yield Redis(daemon, port)
