"""grpcio's server with its health service, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import Daemon, free_port, home, running

_PROGRAM = Path(__file__).with_name("grpc_program.py")


class GrpcServer(NamedTuple):
    """The server's process, and its ports: plain, with TLS, and without the health service."""

    daemon: Daemon
    plain: int
    tls: int
    bare: int


@contextmanager
def grpc_server(certificate: Path) -> Iterator[GrpcServer]:
    """The server; ``certificate`` is a PEM file with its key."""
    plain, tls, bare = free_port(), free_port(), free_port()
    # -P: this module has the library's name
    command = [sys.executable, "-P", str(_PROGRAM), str(plain), str(tls), str(bare), str(certificate)]
    with home("grpc") as directory, running(command, home=directory, ready=plain) as daemon:
        yield GrpcServer(daemon, plain, tls, bare)
