"""One question and its answer over UDP, on a connected socket: datagrams from elsewhere are not received.

A datagram may be lost, so the question is repeated after ``FIRST_RESEND_S``, and then after twice the wait each time.
The engine enforces the deadline.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from lvs_agent.checks.net.connection import endpoint_of
from lvs_agent.checks.net.poller import READ
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.model.check import Target

FIRST_RESEND_S = 0.3
"""Seconds after which a question is repeated the first time."""
_LARGEST = 65_535
_DATAGRAM = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC

Answer = TypeVar("Answer")

Question = bytes | Callable[[str, int], bytes]
"""A datagram, or a function that makes it from the local address and port."""


async def ask(target: Target, run: ProbeRun, question: Question, accept: Callable[[bytes], Answer | None]) -> Answer:
    """The first result of ``accept`` for a datagram that is not None.

    Raises OSError: ECONNREFUSED if the port is closed, and other errors of the network or of this host.
    """
    family, address = endpoint_of(target.address, target.port or 0)
    poller = run.poller
    run.progress.waiting_for = "an answer"
    with socket.socket(family, _DATAGRAM) as opened:
        opened.connect(address)
        # UDP has no connection to wait for: from here on, a missing answer is the server's failure.
        run.progress.stage = Stage.CONNECTED
        descriptor = opened.fileno()
        poller.register(descriptor, READ)
        sent = question if isinstance(question, bytes) else question(*opened.getsockname()[:2])
        questions = _Questions(opened, sent)
        try:
            while True:
                try:
                    answer = accept(opened.recv(_LARGEST))
                except BlockingIOError:
                    await poller.ready(descriptor)
                else:
                    if answer is not None:
                        return answer
                    await asyncio.sleep(0)  # a server that floods must not delay others and the deadline
        finally:
            questions.stop()
            poller.forget(descriptor)


class _Questions:
    """The question, sent now and repeated until ``stop``."""

    def __init__(self, opened: socket.socket, question: bytes) -> None:
        self._socket = opened
        self._question = question
        self._again_s = FIRST_RESEND_S
        self._timer: asyncio.TimerHandle | None = None
        self._socket.send(self._question)
        self._plan()

    def _plan(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._again_s, self._resend)

    def _resend(self) -> None:
        with suppress(OSError):  # network errors are raised when the answer is read
            self._socket.send(self._question)
        self._again_s *= 2
        self._plan()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
