"""What happened, in order: the last events of this process and of those before it."""

from __future__ import annotations

from collections import deque

from lvs_agent.clock import Clock
from lvs_agent.core.events import choose
from lvs_agent.model.event import Event, EventKind, EventQuery, Fact

KEPT = 10_000
"""How many events can be asked for."""


class Journal:
    """``record`` is called on the loop, ``select`` from any thread."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._next = 1

    def record(
        self,
        kind: EventKind,
        /,
        *,
        virtual_service: str = "",
        real_server: str = "",
        at: float | None = None,
        **facts: Fact | None,
    ) -> None:
        """Note that something has happened, now unless ``at`` (seconds since 1970) says otherwise.

        Facts that are None are left out.
        """
        self._events.append(
            Event(
                number=self._next,
                at=self._clock.now() if at is None else at,
                kind=kind,
                virtual_service=virtual_service,
                real_server=real_server,
                facts={name: fact for name, fact in facts.items() if fact is not None},
            )
        )
        self._next += 1

    def select(self, query: EventQuery) -> tuple[Event, ...]:
        """The events that ``query`` asks for, oldest first."""
        return choose(tuple(self._events), query)
