"""FreeRADIUS with one user, for clients that sign their requests."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, Daemon, free_port, give, home, running

USER = "nemo"
PASSWORD = 'arc tangent "ä" of more than one block of sixteen bytes'
SECRET = "xyzzy 5461"

_OWNER = "freerad"


class FreeRadius(NamedTuple):
    """The daemon, and its port."""

    daemon: Daemon
    port: int


def is_bound(port: int) -> bool:
    """Whether somebody hears datagrams at this port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((ADDRESS, port))
        except OSError as problem:
            return problem.errno == errno.EADDRINUSE
    return False


@contextmanager
def freeradius() -> Iterator[FreeRadius]:
    """The server.  It answers a refused login at once, instead of a second later."""
    port = free_port()
    with home("radius", owner=_OWNER) as directory:
        quoted = PASSWORD.replace('"', '\\"')
        files = {
            "dictionary": "",
            "users": f'{USER} Cleartext-Password := "{quoted}"\n    Reply-Message := "hello nemo"\n',
            "radiusd.conf": f"""
                name = radiusd
                libdir = /usr/lib/freeradius
                logdir = {directory}
                run_dir = {directory}
                security {{
                    reject_delay = 0
                    allow_vulnerable_openssl = yes
                }}
                client director {{
                    ipaddr = {ADDRESS}
                    secret = "{SECRET}"
                    require_message_authenticator = yes
                }}
                modules {{
                    pap {{ }}
                    files {{
                        filename = {directory}/users
                    }}
                }}
                server default {{
                    listen {{
                        type = auth
                        ipaddr = {ADDRESS}
                        port = {port}
                    }}
                    authorize {{
                        files
                        pap
                    }}
                    authenticate {{
                        Auth-Type PAP {{
                            pap
                        }}
                    }}
                }}
            """,
        }
        for name, text in files.items():
            (directory / name).write_text(text)
            give(directory / name, to=_OWNER)
        command: list[str | Path] = ["freeradius", "-f", "-l", "stdout", "-d", directory]
        with running(command, home=directory, ready=lambda: is_bound(port), user=_OWNER) as daemon:
            yield FreeRadius(daemon, port)
