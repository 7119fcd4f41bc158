"""Requests for a round: from the parts that change the desired table to the reconcile loop."""

from __future__ import annotations

import asyncio

from lvs_agent.model.ipvs import ServiceKey


class RoundRequests:
    """The open requests.  Every method is called on one event loop."""

    def __init__(self) -> None:
        self._scope: frozenset[ServiceKey] | None = frozenset()
        self._made = asyncio.Event()

    @property
    def waiting(self) -> bool:
        """Whether a round was requested since the last ``take``."""
        return self._made.is_set()

    def wake(self, services: frozenset[ServiceKey] | None = None) -> None:
        """Request a round for ``services`` (None: all) as soon as possible."""
        self._scope = None if services is None or self._scope is None else self._scope | services
        self._made.set()

    def take(self) -> frozenset[ServiceKey] | None:
        """The services for which a round was requested since the last call; None for all."""
        scope, self._scope = self._scope, frozenset()
        self._made.clear()
        return scope

    async def wait(self, *, seconds: float) -> None:
        """Wait for a request, but no longer than ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._made.wait()
        except TimeoutError:
            return
