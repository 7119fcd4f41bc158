"""Host names of addresses, from reverse look-ups in a separate thread, and kept.

A name is kept until a look-up finds another one: a server keeps its name if the resolver fails or the name is
deleted.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Collection
from functools import partial

from lvs_agent.clock import Clock
from lvs_agent.control.side_thread import SideThread
from lvs_agent.core.maintenance import ServerNames
from lvs_agent.log import get_logger
from lvs_agent.model.ipvs import IPAddress

log = get_logger()

FOUND_S = 600.0
"""Seconds until a name is looked up again."""
MISSED_S = 60.0
"""Seconds until an address without a name is looked up again."""
LOOK_UP_S = 5.0
"""Seconds that one look-up may take; the resolver's own limits (resolv.conf) may allow more."""

Resolver = Callable[[IPAddress], Collection[str]]
"""Returns the names of an address; blocks, and raises OSError if there are none."""


def host_names(address: IPAddress) -> Collection[str]:
    """The name that the system's resolver has for ``address``, and its aliases.  Raises OSError if it has none."""
    name, aliases, _ = socket.gethostbyaddr(str(address))
    return frozenset({name, *aliases})


class ReverseNames:
    """Looks up one address after the other; ``known`` has the names found so far.

    ``learned`` is called on the loop when a look-up has found a new name.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        learned: Callable[[], None],
        resolver: Resolver = host_names,
        look_up_s: float = LOOK_UP_S,
    ) -> None:
        self._clock = clock
        self._learned = learned
        self._resolver = resolver
        self._look_up_s = look_up_s
        self._thread = SideThread(name="reverse-names")
        self._due: dict[IPAddress, float] = {}
        self._settled: Collection[IPAddress] = ()
        self._next_due = math.inf
        self._known: dict[IPAddress, Collection[str]] = {}
        self._wanted: Collection[IPAddress] = ()
        self._asked = asyncio.Event()

    @property
    def known(self) -> ServerNames:
        """Names by address."""
        return self._known

    def want(self, addresses: Collection[IPAddress]) -> None:
        """Let ``run`` look up those of ``addresses`` that are due."""
        self._wanted = addresses
        self._asked.set()

    async def run(self) -> None:
        """Look up names as requested, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.look_up(self._wanted)

    async def look_up(self, addresses: Collection[IPAddress]) -> None:
        """Look up those of ``addresses`` that are due."""
        if addresses is self._settled and self._clock.monotonic() < self._next_due:
            return
        for address in addresses:
            if self._due.get(address, 0.0) <= self._clock.monotonic():
                await self._look_up(address)
        self._settled = addresses
        self._next_due = min((self._due[address] for address in addresses), default=math.inf)

    def close(self) -> None:
        """Stop looking up names, without waiting for a look-up that hangs."""
        self._thread.close()

    async def _look_up(self, address: IPAddress) -> None:
        names = await self._resolved(address)
        self._due[address] = self._clock.monotonic() + (FOUND_S if names else MISSED_S)
        if names and names != self._known.get(address):
            self._known[address] = names
            self._learned()

    async def _resolved(self, address: IPAddress) -> Collection[str]:
        """The names of ``address``; empty if there are none, or if the resolver fails or takes too long."""
        try:
            return await self._thread.call(partial(self._resolver, address), limit_s=self._look_up_s)
        except TimeoutError:
            log.warning("reverse_lookup_hangs", address=address, limit_s=self._look_up_s)
        except (OSError, ValueError) as problem:  # ValueError: a name that is not a text
            log.debug("reverse_lookup_failed", address=address, error=problem)
        return ()
