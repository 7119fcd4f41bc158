"""JamNNTPd, the NNTP server of Debian that needs no mail system: a newsgroup for everybody, and one behind a login."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, Daemon, free_port, give, home, running

LOGIN, PASSWORD = "monitor", "s3cret"
OPEN, CLOSED = "local.open", "local.closed"

_USER = "nobody"
_HEADER = struct.Struct("<4sIIIII1000x")
"""The fixed header of a JAM message base: signature, created, counter, messages, password's CRC, first number."""


class Jamnntpd(NamedTuple):
    """The daemon, and its port."""

    daemon: Daemon
    port: int


@contextmanager
def jamnntpd() -> Iterator[Jamnntpd]:
    """The server; it serves nobody but the host itself."""
    port = free_port()
    with home("jamnntpd", owner=_USER) as directory:
        groups, allow, users = directory / "groups", directory / "allow", directory / "users"
        lines = [f"${name} {access} - {_area(directory, name)}\n" for name, access in ((OPEN, "A"), (CLOSED, "B"))]
        groups.write_text("".join(lines))
        allow.write_text(f"{ADDRESS} A -\n")
        users.write_text(f"{LOGIN} {PASSWORD} AB -\n")
        command: list[str | Path] = [
            "jamnntpd", "-port", str(port), "-groups", groups, "-allow", allow, "-users", users,
            "-xlat", "/etc/jamnntpd.xlat", "-logfile", directory / "log", "-max", "20",
        ]  # fmt: skip
        with running(command, home=directory, ready=port, user=_USER) as daemon:
            yield Jamnntpd(daemon, port)


def _area(directory: Path, name: str) -> Path:
    """An empty message base; its path without the ending."""
    area = directory / name.replace(".", "-")
    area.with_suffix(".jhr").write_bytes(_HEADER.pack(b"JAM\0", 0, 0, 0, 0xFFFFFFFF, 1))
    for suffix in (".jdt", ".jdx", ".jlr"):
        area.with_suffix(suffix).write_bytes(b"")
    for file in directory.glob(f"{area.name}.*"):
        give(file, to=_USER)
    return area
