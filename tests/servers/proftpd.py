"""ProFTPD with one user and a file, as a user without privileges."""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, Daemon, free_port, give, home, running

LOGIN, PASSWORD = "monitor", "s3cret"
FILE, CONTENT = "status.txt", "all is well\n"

_USER = "proftpd"
_CONFIGURATION = """
ServerType standalone
ServerName test
DefaultAddress {address}
SocketBindTight on
UseIPv6 off
Port {port}
User {user}
Group nogroup
PidFile {home}/pid
ScoreboardFile {home}/scoreboard
DelayTable {home}/delay
SystemLog {home}/system.log
TransferLog none
WtmpLog off
UseReverseDNS off
RequireValidShell off
AuthOrder mod_auth_file.c
AuthUserFile {home}/users
"""


class Proftpd(NamedTuple):
    """The daemon, and its port."""

    daemon: Daemon
    port: int


@contextmanager
def proftpd() -> Iterator[Proftpd]:
    """The server."""
    port = free_port()
    with home("proftpd", owner=_USER) as directory:
        configuration = directory / "proftpd.conf"
        configuration.write_text(_CONFIGURATION.format(address=ADDRESS, port=port, user=_USER, home=directory))
        _add_user(directory)
        command: list[str | Path] = ["proftpd", "--nodaemon", "--config", configuration]
        with running(command, home=directory, ready=port, user=_USER) as daemon:
            yield Proftpd(daemon, port)


def _add_user(directory: Path) -> None:
    """A user whom the daemon need not change to, with a file in his directory."""
    files, users = directory / "files", directory / "users"
    files.mkdir()
    (files / FILE).write_text(CONTENT)
    entry = pwd.getpwnam(_USER)
    command = ["openssl", "passwd", "-6", PASSWORD]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    users.write_text(f"{LOGIN}:{digest}:{entry.pw_uid}:{entry.pw_gid}::{files}:/bin/false\n")
    users.chmod(0o600)
    for path in (users, files, files / FILE):
        give(path, to=_USER)
