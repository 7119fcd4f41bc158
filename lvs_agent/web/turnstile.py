"""One password at a time: whose turn it is, and how much of a processor wrong ones may cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

SHARE = 0.1
"""Part of a processor that wrong passwords may take."""
BURST_S = 1.0
"""Seconds of a processor that wrong passwords may take before they have to wait for their share."""
WAITING = 64
"""Requests that may wait for their turn."""
FORGIVEN_S = 60.0
"""How long a wrong password counts against the client that gave it."""
_CLIENTS = 1_024
"""Clients whose wrong passwords are counted; the oldest are forgotten."""


class TooMany(Exception):
    """Too many wait, and this client has given more wrong passwords than the others."""


@dataclass(eq=False, slots=True)
class _Waiting:
    client: str
    verify: Callable[[], bool]
    answer: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turnstile:
    """``executor`` verifies, and has one thread.  Every method is called on one loop.

    The client with the fewest wrong passwords comes first, so that whoever guesses waits for those who know.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._waiting: list[_Waiting] = []
        self._wrong: dict[str, tuple[int, float]] = {}
        self._debt_s = 0.0
        self._debt_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def verify(self, client: str, verify: Callable[[], bool]) -> bool:
        """Call ``verify`` in its turn.  Raises TooMany.  If the call is cancelled before its turn, it costs nothing."""
        mine = _Waiting(client, verify)
        self._waiting.append(mine)
        if len(self._waiting) > WAITING:
            worst = max(self._waiting, key=lambda one: self._wrong_of(one.client))  # the first one of equals
            worst = mine if self._wrong_of(mine.client) == self._wrong_of(worst.client) else worst
            self._waiting.remove(worst)
            worst.answer.set_exception(TooMany())
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve(), name="passwords")
        try:
            return await mine.answer
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)

    async def _serve(self) -> None:
        """Serve those that wait, until there is none."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if (pause_s := (self._debt(loop.time()) - BURST_S) / SHARE) > 0:
                    await asyncio.sleep(pause_s)
                    continue
                one = min(self._waiting, key=lambda one: self._wrong_of(one.client))
                self._waiting.remove(one)
                try:
                    right, cost_s = await loop.run_in_executor(self._executor, _timed, one.verify)
                except Exception as problem:  # noqa: BLE001 - it belongs to who has asked
                    if not one.answer.done():
                        one.answer.set_exception(problem)
                    continue
                if not right:
                    self._debt_s = self._debt(loop.time()) + cost_s
                    self._count(one.client)
                if not one.answer.done():
                    one.answer.set_result(right)
        finally:
            self._task = None

    def _debt(self, now: float) -> float:
        """Seconds of a processor that wrong passwords have taken and that were not made up for yet."""
        self._debt_s = max(0.0, self._debt_s - SHARE * (now - self._debt_at))
        self._debt_at = now
        return self._debt_s

    def _wrong_of(self, client: str) -> int:
        count, last = self._wrong.get(client, (0, 0.0))
        return count if asyncio.get_running_loop().time() - last < FORGIVEN_S else 0

    def _count(self, client: str) -> None:
        count = self._wrong_of(client) + 1
        self._wrong.pop(client, None)
        self._wrong[client] = count, asyncio.get_running_loop().time()
        if len(self._wrong) > _CLIENTS:
            del self._wrong[next(iter(self._wrong))]


def _timed(verify: Callable[[], bool]) -> tuple[bool, float]:
    """The answer, and the seconds of a processor that it took."""
    began = time.thread_time()
    return verify(), time.thread_time() - began
