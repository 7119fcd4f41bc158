"""What the real ldirectord says of a configuration: by its own reading, loaded once and asked again and again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from lvs_agent.model.ipvs import IPAddress

PROGRAM = Path("/usr/sbin/ldirectord")
_HERE = Path(__file__).parent


def installed() -> bool:
    """Whether there is an ldirectord to ask."""
    return PROGRAM.exists() and shutil.which("perl") is not None


def without_network() -> list[str]:
    """What to put before a command so that it finds no resolver: names that are no addresses are unknown at once."""
    return ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]


class LocalNames:
    """Addresses, and what /etc/hosts and /etc/services say: all that a program without a network knows."""

    def host(self, name: str, family: socket.AddressFamily) -> IPAddress:
        numeric = 0 if name == "localhost" else socket.AI_NUMERICHOST
        return ip_address(str(socket.getaddrinfo(name, 0, family, flags=numeric)[0][4][0]).partition("%")[0])

    def service(self, name: str, protocol: str | None) -> int:
        try:
            return socket.getservbyname(name, protocol) if protocol else socket.getservbyname(name)
        except OSError as error:
            raise LookupError(name) from error


class Oracle:
    """A perl that has ldirectord's reading in it; within a ``with`` block."""

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="lvs-oracle-")
        self._file = Path(self._directory.name, "ldirectord.cf")
        Path(self._directory.name, "ipvsadm").touch()
        self._process = subprocess.Popen(
            [*without_network(), "perl", _HERE / "verdicts.pl", PROGRAM],
            cwd=self._directory.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._directory.cleanup()

    def refused_at(self, text: bytes) -> int | None:
        """The line that ldirectord reports for ``text``, or None where it takes it."""
        self._file.write_bytes(text)
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("started without pipes")
        self._process.stdin.write(f"{self._file}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if answer == "taken":
            return None
        if not answer.isdigit():
            raise RuntimeError(f"the reading of {text!r} ended: {answer!r}")
        return int(answer)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """The real ldirectord."""
    if not installed():
        if os.environ.get("CI") == "true":
            raise RuntimeError("ldirectord is not installed; get it with: apt-get install ldirectord")
        pytest.skip("needs the package ldirectord")
    with Oracle() as started:
        yield started


def refused_by_the_program(text: bytes) -> int | None:
    """The same from the program itself, started for this one file: its status and the line in what it says."""
    with tempfile.TemporaryDirectory(prefix="lvs-oracle-") as name:
        directory = Path(name)
        (directory / "it.cf").write_bytes(text)
        (directory / "ipvsadm").touch()
        done = subprocess.run(
            [*without_network(), PROGRAM, "-d", directory / "it.cf", "status"],
            cwd=directory,
            capture_output=True,
            check=False,
        )
    if done.returncode != 2:
        return None
    errors = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.startswith("Error [")]
    return int(errors[0].partition(" at line ")[2].partition(":")[0])
