"""Which events a question asks for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from lvs_agent.model.event import Event, EventQuery


def choose(events: Sequence[Event], query: EventQuery) -> tuple[Event, ...]:
    """The events of ``events`` (oldest first) that ``query`` asks for, oldest first."""
    found = list(islice((event for event in reversed(events) if _wanted(event, query)), query.limit))
    return tuple(reversed(found))


def _wanted(event: Event, query: EventQuery) -> bool:
    return (
        (query.since is None or event.at >= query.since)
        and (query.until is None or event.at <= query.until)
        and (query.after is None or event.number > query.after)
        and (query.kinds is None or event.kind in query.kinds)
        and (query.virtual_service is None or event.virtual_service == query.virtual_service)
        and (query.real_server is None or event.real_server == query.real_server)
    )
