"""The reconcile loop: when a round is due, and what its result means for the state.

A round is due each period; each second if /proc shows that the table is not as it was left; and at once, coalesced
over 10 ms, for the services whose pools may have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from lvs_agent.clock import Clock
from lvs_agent.control.journal import Journal
from lvs_agent.control.round import RoundInput, RoundResult, account_round, new_conditions, perform
from lvs_agent.control.round_events import RoundEvents
from lvs_agent.control.state import AgentState
from lvs_agent.core.condition import ServiceCondition
from lvs_agent.core.decide import withdrawn_after
from lvs_agent.core.pool import Pool
from lvs_agent.errors import IpvsError
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.model.ipvs import ServiceKey, Table
from lvs_agent.model.outline import Outline, outline_of, outlines_differ

COALESCE_S = 0.01
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """Seconds between two full rounds, and between two looks at /proc."""

    reconcile_s: float
    compare_s: float


class Reconciling:
    """Runs rounds; the only place from which the table is written.

    ``periods`` may be changed at any time.  ``began_at``: monotonic seconds at which the last round began.
    ``first_round`` is set once a round has read the table.  ``decided`` is called with the pools of each round, then
    ``remember``.
    """

    def __init__(
        self,
        *,
        backend: IpvsBackend,
        state: AgentState,
        journal: Journal,
        clock: Clock,
        periods: Periods,
        remember: Callable[[], None],
        decided: Callable[[Mapping[ServiceKey, Pool]], None],
    ) -> None:
        self.periods = periods
        self.began_at = clock.monotonic()
        self._backend = backend
        self._state = state
        self._events = RoundEvents(state=state, journal=journal, clock=clock)
        self._clock = clock
        self._remember = remember
        self._decided = decided
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ipvs")
        self._woken = asyncio.Event()
        self.first_round = asyncio.Event()
        self._scope: frozenset[ServiceKey] | None = frozenset()
        self._outline: tuple[Table | None, Outline] = (None, {})
        self._again = False

    def wake(self, services: frozenset[ServiceKey] | None = None) -> None:
        """Make a round for ``services`` (None: for all) as soon as possible."""
        self._scope = None if services is None or self._scope is None else self._scope | services
        self._woken.set()

    async def run(self) -> None:
        """Make rounds until cancelled.  A round under way is finished first."""
        next_full = self._clock.monotonic()
        while True:
            if self._clock.monotonic() >= next_full:
                self.wake()
                next_full = self._clock.monotonic() + self.periods.reconcile_s
            elif self._again or (not self._woken.is_set() and await self._table_was_changed()):
                self.wake()
            if self._woken.is_set():
                await asyncio.sleep(COALESCE_S)
                await self.round()
            await self._wait(min(self.periods.compare_s, max(0.0, next_full - self._clock.monotonic())))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def round(self) -> None:
        """Make one round for whatever asked for it.

        A round that fails is followed by a full one at the next look at /proc.
        """
        scope, self._scope = self._scope, frozenset()
        self._woken.clear()
        given = round_input(self._state, scope=scope)
        began = self.began_at = self._clock.monotonic()
        try:
            result = await self._in_thread(partial(perform, self._backend, given))
        except IpvsError as error:
            self._note_failure(error)
            self._note_conditions(given, new_conditions(self._state.reconcile.conditions, given))
            return
        self._note_result(given, result, duration_s=self._clock.monotonic() - began)

    async def _table_was_changed(self) -> bool:
        """Whether /proc shows an owned service differently from how it was left."""
        left = self._state.reconcile.left
        if left is None:
            return True
        if self._outline[0] is not left:
            self._outline = (left, outline_of(left))
        try:
            now = await self._in_thread(self._backend.read_outline)
        except IpvsError as error:
            self._note_failure(error)
            return False
        return outlines_differ(self._outline[1], now, services=self._state.owned)

    async def _in_thread(self, call: Callable[[], _Result]) -> _Result:
        """Run a blocking call in the one thread that talks to the kernel.

        A cancellation waits for the call, so that nothing is written after the loop has stopped.
        """
        future = asyncio.get_running_loop().run_in_executor(self._thread, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    # --- what a round means ---------------------------------------------------------------------------------------

    def _note_failure(self, error: IpvsError) -> None:
        status = self._state.reconcile
        self._again = True
        self._state.reconcile = replace(status, errors=status.errors + 1, last_error=str(error))
        self._events.unread(error)

    def _note_conditions(self, given: RoundInput, conditions: Mapping[ServiceKey, ServiceCondition]) -> None:
        """A round that could not read the table knows of the quorums all the same."""
        self._events.tell_conditions(given.intent, conditions)
        self._state.reconcile = replace(self._state.reconcile, conditions=conditions)

    def _note_result(self, given: RoundInput, result: RoundResult, *, duration_s: float) -> None:
        reconcile = account_round(self._state.reconcile, given, result, duration_s=duration_s, now=self._clock.now())
        self._events.tell(given, result, conditions=reconcile.conditions)
        self._again = result.failed
        self._state.withdrawn = withdrawn_after(self._state.withdrawn, result.pools)
        self._state.seen.update(key for key in given.healths if given.scope is None or key[0] in given.scope)
        self._state.reconcile = reconcile
        if given.scope is None and not result.pending and not result.failed:
            self._state.disown(given.owned - {service.service.key for service in given.intent.services})
        self.first_round.set()
        self._decided(result.pools)
        self._remember()

    def close(self) -> None:
        """Give the thread back once its last call has ended."""
        self._thread.shutdown(wait=True)

    async def remove(self, services: frozenset[ServiceKey]) -> None:
        """Delete ``services``: the last act of an agent that is to leave them behind no longer."""
        intent = self._state.intent
        kept = tuple(service for service in intent.services if service.service.key not in services)
        self._state.intent = replace(intent, services=kept)
        self.wake(services)
        await self.round()


def round_input(state: AgentState, *, scope: frozenset[ServiceKey] | None) -> RoundInput:
    """What a round for ``scope`` (None: all services) starts from, as ``state`` is now.  ``plan`` shows such a round.

    The first round is always for all services, because what is not in scope must be known from a round before.
    """
    return RoundInput(
        intent=state.intent,
        healths={key: status.health for key, status in state.servers.items()},
        history=state.history(),
        shares=state.shares(),
        owned=state.owned,
        left=state.reconcile.left,
        scope=scope if state.reconcile.left is not None else None,
        writes=state.writes,
        all_checked=all(status.last is not None for status in state.checks.values()),
    )
