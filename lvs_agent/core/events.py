"""Which events a query selects, and which events are kept if there are too many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from lvs_agent.model.event import Event, EventKind, EventQuery


def choose(events: Sequence[Event], query: EventQuery) -> tuple[Event, ...]:
    """The events of ``events`` (oldest first) that ``query`` selects, oldest first."""
    if query.after is not None:
        return tuple(islice((event for event in events if _wanted(event, query)), query.limit))
    newest = tuple(islice((event for event in reversed(events) if _wanted(event, query)), query.limit))
    return newest[::-1]


def _wanted(event: Event, query: EventQuery) -> bool:
    return (
        (query.since is None or event.at >= query.since)
        and (query.until is None or event.at <= query.until)
        and (query.after is None or event.number > query.after)
        and (query.kinds is None or event.kind in query.kinds)
        and (query.virtual_service is None or event.virtual_service == query.virtual_service)
        and (query.real_server is None or _is_about(event.real_server, query.real_server))
    )


def _is_about(name: str, asked: str) -> bool:
    """Whether ``asked`` means the real server ``name``; its address without a port is enough."""
    return name == asked or name.rpartition(":")[0].strip("[]") == asked.strip("[]")


def thin_out(events: Iterable[Event], *, most: int) -> Mapping[EventKind, Sequence[Event]]:
    """The newest ``most`` of ``events`` (oldest first) by kind; events of frequent kinds are deleted first."""
    kinds: dict[EventKind, list[Event]] = {}
    for event in events:
        kinds.setdefault(event.kind, []).append(event)
    room = most
    for left, kind in enumerate(sorted(kinds, key=lambda kind: len(kinds[kind]))):
        fair = room // (len(kinds) - left)
        kinds[kind] = kinds[kind][max(0, len(kinds[kind]) - fair) :]
        room -= len(kinds[kind])
    return kinds
