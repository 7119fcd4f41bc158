"""The agent's side of one check worker: sends it work, and takes what it says for input that may be anything.

A worker that says what no worker says is not believed any more: the link ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lvs_agent.checks.kinds import checkers
from lvs_agent.clock import Clock
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Load
from lvs_agent.model.workers import LossCause
from lvs_agent.workers.protocol import (
    FRAME_LIMIT,
    Answer,
    Beat,
    Call,
    Cancel,
    Down,
    Frames,
    NotUnderstood,
    Order,
    Ping,
    Pong,
    Results,
    Row,
    Silent,
    Started,
    Work,
    decode,
    order,
    result_of,
)

CHUNK = 200
"""Checks in one message; the loop turns between two messages."""
_KEPT = 70_000
"""Results that a worker may send at once: those that it kept while the agent did not read."""
_RATE_FACTOR, _RATE_MORE = 4.0, 100.0
"""Most results a second: that many times the configured rate, and some for early runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """Where a link passes on what its worker says, on the loop: results; a command to run or to kill, by the number of
    the call; and that it can say nothing more.
    """

    results: Callable[[list[CheckReport]], None]
    call: Callable[[Link, Call, CheckSpec], None]
    cancel: Callable[[Link, int], None]
    ended: Callable[[Link], None]


class Link(asyncio.Protocol):
    """``load`` is what the worker said last.  ``heard_at``: when it said something, or was started, in seconds of the
    monotonic clock.  ``ended`` is done with the cause when the worker cannot be used any more.
    """

    def __init__(self, *, clock: Clock, uplink: Uplink) -> None:
        self.load = Load()
        self.has_said_something = False
        self.heard_at = clock.monotonic()
        self.ended: asyncio.Future[tuple[LossCause | None, str]] = asyncio.get_running_loop().create_future()
        self._kinds = checkers()
        self._clock = clock
        self._uplink = uplink
        self._frames = Frames(limit=FRAME_LIMIT)
        self._checks: list[CheckSpec | None] = []
        self._numbers: dict[CheckId, int] = {}
        self._lent: dict[str, bytes] = {}
        self._rate = 0.0
        self._tokens = float(_KEPT)
        self._counted_at = self.heard_at
        self._outbox: asyncio.Queue[Order] = asyncio.Queue()
        self._transport: asyncio.WriteTransport | None = None

    # --- down -----------------------------------------------------------------------------------------------------

    def work(
        self,
        added: Sequence[tuple[CheckSpec, bool]],
        removed: Iterable[CheckId],
        *,
        continues: bool,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Change the checks of the worker.  ``added``: with whether each is down.  ``files``: what it may not read."""
        changed = {path: content for path, content in (files or {}).items() if self._lent.get(path) != content}
        self._lent |= changed
        gone = [number for check in removed if (number := self._numbers.pop(check, None)) is not None]
        for number in gone:
            spec, self._checks[number] = self._checks[number], None
            self._rate -= 0.0 if spec is None else rate_of(spec)
        fresh: list[tuple[int, CheckSpec, bool]] = []
        for spec, down in added:
            self._numbers[spec.id] = len(self._checks)
            fresh.append((len(self._checks), spec, down))
            self._checks.append(spec)
            self._rate += rate_of(spec)
        parts = [fresh[start : start + CHUNK] for start in range(0, len(fresh), CHUNK)] or [[]]
        for part in parts:
            self._outbox.put_nowait(Work(part, gone, changed, continues, last=part is parts[-1]))
            gone, changed = [], {}

    def set_down(self, check: CheckId, *, down: bool) -> None:
        """Tell the worker that a check is down, or no longer."""
        if (number := self._numbers.get(check)) is not None:
            self.send(Down(number, down))

    def send(self, message: Down | Started | Silent | Answer | Pong) -> None:
        """Send a message after those that wait."""
        self._outbox.put_nowait(message)

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            message = await self._outbox.get()
            if self._transport is not None:
                self._transport.write(order(message))
            await asyncio.sleep(0)

    def close(self) -> None:
        """End the connection, and with it the worker, unless it hangs."""
        if self._transport is not None:
            self._transport.abort()

    def end(self, cause: LossCause | None, detail: str = "") -> None:
        """Use the worker no longer.  ``cause`` None: nothing is wrong with it, another takes its place."""
        if not self.ended.done():
            self.ended.set_result((cause, detail))
        self.close()

    def excuse(self, late_s: float) -> None:
        """Nobody listened for ``late_s`` seconds."""
        self.heard_at += late_s

    # --- up -------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has the socket."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, _problem: Exception | None) -> None:
        """The worker has ended."""
        self.end(LossCause.DIED)

    def data_received(self, data: bytes) -> None:
        """The worker has sent something."""
        if self.ended.done():
            return
        try:
            for message in self._frames.feed(data):
                self._take(message)
        except NotUnderstood as problem:
            self.end(LossCause.INVALID, str(problem)[:200])

    def _take(self, message: bytes) -> None:
        self.heard_at = self._clock.monotonic()
        self.has_said_something = True
        match decode(message):
            case Results(rows):
                self._count(len(rows))
                self._take_results(rows)
            case Beat() as beat:
                self._count(1)
                self.load = Load(
                    in_flight=beat.in_flight,
                    pending=beat.pending,
                    threads=beat.threads,
                    threads_queued=beat.threads_queued,
                    thread_oldest_s=beat.thread_oldest_s,
                )
            case Call() as call:
                self._count(1)
                if (spec := self._known(call.check)) is not None:
                    self._uplink.call(self, call, spec)
            case Cancel(call_number):
                self._count(1)
                self._uplink.cancel(self, call_number)
            case Ping():
                self._count(1)
                self.send(Pong())

    def _take_results(self, rows: list[Row]) -> None:
        now = self._clock.now()
        reports = []
        for row in rows:
            spec = self._known(row[0])
            if spec is None:
                continue
            if row[9] and not self._kinds[spec.kind].constant:
                raise NotUnderstood(f"a final result of a check of kind {spec.kind}")
            reports.append(CheckReport(spec.id, result_of(row), min(row[6], now), row[7], row[8], row[9]))
        if reports:
            self._uplink.results(reports)

    def _known(self, number: int) -> CheckSpec | None:
        """The check with that number; None if it was removed meanwhile.  Raises NotUnderstood if it never was there."""
        if number >= len(self._checks):
            raise NotUnderstood(f"a result of check {number}, of {len(self._checks)}")
        return self._checks[number]

    def _count(self, messages: int) -> None:
        """Raise NotUnderstood if the worker says more than its checks can have to say."""
        now = self._clock.monotonic()
        gained = (now - self._counted_at) * (_RATE_FACTOR * self._rate + _RATE_MORE)
        self._tokens = min(self._tokens + gained, float(_KEPT + 4 * len(self._numbers))) - messages
        self._counted_at = now
        if self._tokens < 0:
            raise NotUnderstood("more results than its checks can have")


def rate_of(spec: CheckSpec) -> float:
    """Most probes a second."""
    intervals = (spec.interval_s, spec.down_interval_s, spec.fast_interval_s or spec.interval_s)
    return 1 / max(0.001, min(intervals))
