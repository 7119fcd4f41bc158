"""The reconcile loop: when a round is due, and what its result means for the state.

A full round is due each period.  Once a second, a look at /proc shows whether the table differs from the table after
the last round; then a round is due too.  Services whose pools may have changed get a round at once, coalesced over
10 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from lvs_agent.clock import Clock
from lvs_agent.config import AgentSettings
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.round import RoundInput, RoundResult, perform
from lvs_agent.control.round_account import account_round, new_conditions
from lvs_agent.control.round_events import RoundEvents
from lvs_agent.control.round_requests import RoundRequests
from lvs_agent.control.state import AgentState
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

    @classmethod
    def of(cls, agent: AgentSettings) -> Periods:
        """The configured periods."""
        return cls(reconcile_s=agent.reconcile_interval_s, compare_s=agent.compare_interval_s)


class Reconciling:
    """Runs rounds; the table is written only from here.

    ``requests``: the rounds that other parts have requested.  ``periods`` may be changed at any time.  ``began_at``:
    monotonic seconds at which the last round started.  ``first_round`` is set once a round has read the table.
    ``decided`` is called with the pools of each round, then ``remember``.
    """

    def __init__(
        self,
        *,
        backend: IpvsBackend,
        state: AgentState,
        reporter: Reporter,
        requests: RoundRequests,
        clock: Clock,
        periods: Periods,
        remember: Callable[[], None],
        decided: Callable[[Mapping[ServiceKey, Pool]], None],
    ) -> None:
        self.periods = periods
        self.began_at = clock.monotonic()
        self._backend = backend
        self._state = state
        self._events = RoundEvents(state=state, reporter=reporter, clock=clock)
        self._requests = requests
        self._clock = clock
        self._remember = remember
        self._decided = decided
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ipvs")
        self.first_round = asyncio.Event()
        self._outline: tuple[Table | None, Outline] = (None, {})
        self._again = False

    async def run(self) -> None:
        """Make rounds until cancelled.  A round in progress is finished first."""
        next_full = self._clock.monotonic()
        while True:
            if self._clock.monotonic() >= next_full:
                self._requests.wake()
                next_full = self._clock.monotonic() + self.periods.reconcile_s
            elif self._again or (not self._requests.waiting and await self._table_was_changed()):
                self._requests.wake()
            if self._requests.waiting:
                await asyncio.sleep(COALESCE_S)
                await self.round()
            until_full = max(0.0, next_full - self._clock.monotonic())
            await self._requests.wait(seconds=min(self.periods.compare_s, until_full))

    async def round(self) -> None:
        """Make one round for all services that were requested.

        A round that fails is followed by a full one at the next look at /proc.
        """
        given = round_input(self._state, scope=self._requests.take())
        began = self.began_at = self._clock.monotonic()
        try:
            result = await self._in_thread(partial(perform, self._backend, given))
        except IpvsError as error:
            self._note_failure(error, given=given)
            return
        self._note_result(given, result, duration_s=self._clock.monotonic() - began)

    async def _table_was_changed(self) -> bool:
        """Whether /proc shows an owned service that differs from the table after the last round."""
        left = self._state.reconcile.last_table
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

    def _note_failure(self, error: IpvsError, *, given: RoundInput | None = None) -> None:
        """Note that the table could not be read.  ``given``: the round's input, which still decides the quorums."""
        conditions = self._state.reconcile.conditions
        self._again = True
        self._events.unread(error)
        if given is not None:
            conditions = new_conditions(conditions, given)
            self._events.report_conditions(given.intent, conditions)
        self._state.round_failed(str(error), conditions=conditions)

    def _note_result(self, given: RoundInput, result: RoundResult, *, duration_s: float) -> None:
        reconcile = account_round(self._state.reconcile, given, result, duration_s=duration_s, now=self._clock.now())
        self._events.report(given, result, conditions=reconcile.conditions)
        self._again = result.failed
        is_done = given.scope is None and not result.pending and not result.failed
        self._state.round_ended(
            reconcile,
            decided=[key for key in given.healths if given.scope is None or key[0] in given.scope],
            withdrawn=withdrawn_after(self._state.withdrawn, result.pools),
            deleted=given.owned - given.intent.names.keys() if is_done else frozenset(),
        )
        self.first_round.set()
        self._decided(result.pools)
        self._remember()

    def makes_progress(self, now: float) -> bool:
        """Whether a round has started within three periods before ``now`` (monotonic seconds)."""
        return now - self.began_at <= 3 * self.periods.reconcile_s + 10.0

    def close(self) -> None:
        """End the thread after its last call."""
        self._thread.shutdown(wait=True)

    async def remove(self, services: frozenset[ServiceKey]) -> None:
        """Delete ``services`` from the table when the agent stops."""
        self._state.services_removed(services)
        self._requests.wake(services)
        await self.round()


def round_input(state: AgentState, *, scope: frozenset[ServiceKey] | None) -> RoundInput:
    """The input of a round for ``scope`` (None: all services), from ``state`` now.  ``plan`` shows such a round.

    The first round is always for all services, because services out of scope keep the result of an earlier round.
    """
    return RoundInput(
        intent=state.intent,
        healths={key: status.health for key, status in state.servers.items()},
        history=state.history(),
        shares=state.shares(),
        owned=state.owned,
        last_table=state.reconcile.last_table,
        scope=scope if state.reconcile.last_table is not None else None,
        writes=state.writes,
        all_checked=state.all_checked,
    )
