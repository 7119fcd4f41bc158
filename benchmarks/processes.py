"""Start, measure and stop the processes that the benchmarks compare."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NATIVE = Path(__file__).with_name("native")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a process and its descendants have used: CPU seconds so far, resident MiB now."""

    cpu_s: float
    resident_mib: float


class WebServer:
    """The checked server, with its count of answered requests."""

    def __init__(self, process: subprocess.Popen[str], *, port: int) -> None:
        self._process = process
        self.port = port

    def served(self) -> int:
        """Requests answered so far."""
        self._process.send_signal(signal.SIGUSR1)
        return int(self._line())

    def _line(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("the server's output is not read")
        return self._process.stdout.readline()


@contextmanager
def build_directory() -> Iterator[Path]:
    """A directory with the compiled native programs."""
    with tempfile.TemporaryDirectory(prefix="lvs-agent-benchmark-") as name:
        directory = Path(name)
        _compile("web_server.c", directory / "web_server")
        _compile("answer_ipvs.c", directory / "answer_ipvs.so", "-shared", "-fPIC", "-ldl")
        yield directory


@contextmanager
def web_server(directory: Path, *, port: int) -> Iterator[WebServer]:
    """The server, on ``port`` of every loopback address."""
    with ended(subprocess.Popen([directory / "web_server", str(port)], stdout=subprocess.PIPE, text=True)) as process:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the web server does not start at port {port}")
        yield WebServer(process, port=port)


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process; it is stopped when the context ends."""
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def used(pid: int) -> Used:
    """What the process and its descendants have used."""
    cpu_s = resident = 0.0
    for member in _family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{member}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu_s += (int(fields[11]) + int(fields[12])) * _TICK_S
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        resident += int(found[1]) / 1_024 if found else 0.0
    return Used(cpu_s=cpu_s, resident_mib=resident)


def wait_for(condition: Callable[[], bool], *, within_s: float) -> float:
    """Seconds until ``condition()`` holds.  Raises TimeoutError."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > within_s:
            raise TimeoutError(f"not within {within_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - begin


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        listing = Path(f"/proc/{member}/task/{member}/children")
        if listing.exists():
            members += map(int, listing.read_text().split())
    return members


def _compile(source: str, to: Path, *options: str) -> None:
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", NATIVE / source, "-o", to, *options], check=True)
