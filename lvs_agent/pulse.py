"""Whether another process of ours still answers: it is asked again and again, and its silence is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """``ask`` sends a question, which the process answers at once; False: there is nothing to ask now.

    Call ``heard`` whenever the process says something.
    """

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self._owes_an_answer = False
        self._silent_s = 0.0

    def heard(self) -> None:
        """The process has said something."""
        self._owes_an_answer = False
        self._silent_s = 0.0

    async def watch(self, every_s: float, look: Callable[[float], object]) -> None:
        """Ask every ``every_s`` seconds until cancelled, and tell ``look`` for how many seconds an answer is due.

        What this process is late itself does not count: each turn adds ``every_s``, however long it took.
        """
        while True:
            if not self._owes_an_answer:
                self._owes_an_answer = self._ask()
            await asyncio.sleep(every_s)
            if self._owes_an_answer:
                self._silent_s += every_s
            look(self._silent_s)
