"""Runs of the real ldirectord that a perl forks which has compiled it once: that is most of a start's time."""

from __future__ import annotations

import atexit
import functools
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.differential.oracle import PROGRAM


class Fork:
    """A running program, with the part of ``subprocess.Popen`` that is needed here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def ended(self, *, within_s: float | None = 0) -> bool:
        """Whether it has ended, after ``within_s`` at the latest; None waits for it."""
        return bool(select.select([self._descriptor], [], [], within_s)[0])

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self.ended():
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """Kill it with everything in its process group, and wait for its end."""
        if not self.ended():
            os.killpg(self.pid, signal.SIGKILL)
        self.ended(within_s=None)
        os.close(self._descriptor)


def start(*arguments: str | Path, directory: Path, log: Path) -> Fork:
    """Start ldirectord in ``directory`` and in the network namespace of this thread; ``log`` gets its output."""
    namespace = Path("/proc/thread-self/ns/net").stat().st_ino
    return Fork(_ask(_server(namespace), [directory, log, *arguments]))


@functools.cache
def _server(namespace: int) -> subprocess.Popen[str]:
    """The perl of the namespace with this inode, in which the calling thread is."""
    del namespace
    server = subprocess.Popen(
        ["perl", "-I", Path(__file__).parent, "-MForks", PROGRAM],
        env={**os.environ, "PERLIO": "perlio"},  # what ldirectord would start itself again for
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    atexit.register(_end, server)
    return server


def _ask(server: subprocess.Popen[str], words: Sequence[str | Path]) -> int:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\t".join(map(str, words)) + "\n")
    return int(server.stdout.readline())


def _end(server: subprocess.Popen[str]) -> None:
    with server:
        server.kill()
