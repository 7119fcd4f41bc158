"""TCP connection that is kept open; its loss is noticed at once, not at the next check."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import ClassVar

from lvs_agent.checks.net.connection import STREAM
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.model.check import CheckResult, FailureReason, Passed, Target
from lvs_agent.settings.check import IDNA_CODEC, CheckSettings

EXAMPLE = """
type = "idle"
interval = "5s"
"""
PASSES = "The connection is open, or the server accepts a new one at once."
FAILS = {
    FailureReason.REFUSED: "the port is closed",
    FailureReason.UNREACHABLE: "the host cannot be reached",
    FailureReason.CONNECT_TIMEOUT: "it does not accept the connection in time",
}
SEEN = "A connection without data.  If the server closes idle connections, a new one is made at once."

_MOST_HEARD = 65_536
"""Bytes after which the connection to a server that keeps sending is closed; few send more than a greeting."""
_RECEIVE_SIZE = 4_096


class Settings(CheckSettings):
    """Keys of a check with ``type = "idle"``: none of its own."""

    libraries: ClassVar[tuple[str, ...]] = (IDNA_CODEC,)
    default_port: ClassVar[int | None] = None


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """Look at the connection that is held, or make one."""
    held = run.held
    if isinstance(held, Held) and held.lost is None:
        return Passed(f"connected for {time.monotonic() - held.since:.0f} s")
    before = held.lost if isinstance(held, Held) else None
    run.release()
    family = socket.AF_INET if target.address.version == 4 else socket.AF_INET6
    try:
        opened = socket.socket(family, STREAM)
    except OSError as problem:
        return outcome_of(problem)
    try:
        _notice_silence(opened)
        await asyncio.get_running_loop().sock_connect(opened, (str(target.address), target.port or 0))
    except OSError as problem:
        opened.close()
        return outcome_of(problem)
    except BaseException:
        opened.close()
        raise
    run.progress.stage = Stage.CONNECTED
    run.held = Held(opened, run.request_early_run)
    return Passed("connected" if before is None else f"connected again: {before}")


def _notice_silence(opened: socket.socket) -> None:
    """Have the kernel ask now and then whether the server is still there (tcp(7)): gone after some 20 seconds."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 3)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


class Held:
    """A connection between two probes.  ``lost`` says what became of it; None while it stands."""

    def __init__(self, opened: socket.socket, request_early_run: Callable[[], object]) -> None:
        self.since = time.monotonic()
        self.lost: str | None = None
        self._socket = opened
        self._request_early_run = request_early_run
        self._heard = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(opened, self._readable)

    def _readable(self) -> None:
        try:
            heard = len(self._socket.recv(_RECEIVE_SIZE))
        except BlockingIOError:
            return
        except OSError as problem:
            self._lose(problem.strerror or "lost")
            return
        self._heard += heard
        if not heard:
            self._lose("the server had closed the connection")
        elif self._heard > _MOST_HEARD:
            self._lose("the server did not stop sending")

    def _lose(self, why: str) -> None:
        self.lost = why.lower()
        self.close()
        self._request_early_run()

    def close(self) -> None:
        """Close the connection, if it is not lost."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
