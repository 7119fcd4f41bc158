"""Readiness of many short-lived sockets at one system call each.

asyncio's transports cost more than the check itself, so probes use bare non-blocking sockets.  One epoll object of
our own holds them all, edge-triggered; the event loop watches only that object (an epoll descriptor is readable while
one of its sockets is ready), so the loop need not know the sockets.

Edge triggering is safe with this rule: try the operation first, and wait only after it would have blocked.  Then no
edge is missed, and a superfluous wake-up is harmless.
"""

from __future__ import annotations

import asyncio
import select
import types
from collections.abc import Callable, Generator
from functools import partial

READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
READ_WRITE = READ | select.EPOLLOUT

_BATCH = 512
"""Sockets that are handled in one round of the loop; others wait for the next round, so that timers run in between."""


class Poller:
    """The sockets that the probes of one loop wait for.

    ``register`` watches a socket (its descriptor, and ``READ`` or ``READ_WRITE``) until it is closed or
    ``unregister`` ends it; ``modify`` changes for what.  All are the epoll object's own methods and raise OSError.
    It can be made without a loop; no probe is resumed before ``open``.
    """

    __slots__ = ("_epoll", "_loop", "_waiting", "modify", "register", "running", "unregister")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._epoll = select.epoll()
        self._waiting: dict[int, Callable[[], object]] = {}
        self.register = self._epoll.register
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        self.running: Callable[[], object] | None = None
        """Resumes the running probe if the engine steps it by hand; None within a task."""

    def open(self) -> None:
        """Let the running loop call ``poll`` whenever a socket is ready."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self.poll)

    @types.coroutine
    def ready(self, descriptor: int) -> Generator[object, None, None]:
        """Wait until a registered socket may have become ready; await it after the operation would have blocked."""
        if self.running is not None:
            self._waiting[descriptor] = self.running
            yield None
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting[descriptor] = partial(_wake, future)
        yield from future

    def forget(self, descriptor: int) -> None:
        """Stop waiting for this socket.  To be called before it is closed, if a probe may still wait for it."""
        self._waiting.pop(descriptor, None)

    def poll(self) -> None:
        """Resume every probe whose socket is ready."""
        waiting = self._waiting
        for descriptor, _ in self._epoll.poll(0, _BATCH):
            resume = waiting.pop(descriptor, None)
            if resume is not None:
                resume()

    def close(self) -> None:
        """Close the epoll object."""
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
