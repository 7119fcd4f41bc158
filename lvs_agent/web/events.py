"""The answer of /api/v1/events: which events a question asks for, as plain data with a sentence each.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from typing_extensions import TypedDict

from lvs_agent.core.instant import parse_rfc3339, rfc3339
from lvs_agent.model.event import KEPT, Event, EventKind, EventQuery, Fact
from lvs_agent.settings.scalars import parse_duration
from lvs_agent.view.event_sentence import sentence

SCHEMA = 1
"""Grows when a field changes its meaning or goes away; fields may be added."""
DEFAULT_LIMIT = 1_000
PARAMETERS = ("since", "until", "after", "kind", "virtual_service", "real_server", "limit")
_MAX_DIGITS = 18


class EventEntry(TypedDict):
    """One event.  ``at``: when it was noticed, RFC 3339 in UTC.  ``virtual_service`` and ``real_server`` are null
    where it is about none.  ``facts``: the rest, in the words of the log.  ``text``: one sentence for people.
    """

    number: int
    at: str
    kind: str
    virtual_service: str | None
    real_server: str | None
    facts: dict[str, Fact]
    text: str


class EventsDocument(TypedDict):
    """The whole answer, oldest first.  ``next``: what to give as ``after`` to get what comes after these."""

    schema: int
    events: list[EventEntry]
    next: int


class BadQuestion(Exception):
    """The parameters ask for nothing that can be answered; the message says what may be asked."""


def event_entry(event: Event) -> EventEntry:
    """``event`` as the API has it; only text that can be written as UTF-8."""
    return EventEntry(
        number=event.number,
        at=rfc3339(event.at),
        kind=event.kind.value,
        virtual_service=_clean(event.virtual_service) or None,
        real_server=_clean(event.real_server) or None,
        facts={_clean(name): _clean(fact) if isinstance(fact, str) else fact for name, fact in event.facts.items()},
        text=_clean(sentence(event)),
    )


def events_document(events: Callable[[EventQuery], Sequence[Event]], query: EventQuery) -> EventsDocument:
    """The answer to ``query``, from what gives events.

    A number to go on from that is higher than any is of another journal, which is no more: all is new then.
    """
    found = events(query)
    after = query.after
    if after and not found:
        newest = events(EventQuery(limit=1))
        if not newest or newest[-1].number < after:
            after = 0
            found = events(_from_the_start(query))
    return EventsDocument(
        schema=SCHEMA,
        events=[event_entry(event) for event in found],
        next=found[-1].number if found else after or 0,
    )


def _from_the_start(query: EventQuery) -> EventQuery:
    return EventQuery(
        since=query.since,
        until=query.until,
        after=0,
        kinds=query.kinds,
        virtual_service=query.virtual_service,
        real_server=query.real_server,
        limit=query.limit,
    )


def read_question(parameters: Sequence[tuple[str, str]], *, now: float) -> EventQuery:
    """The question in ``parameters`` of an address.  Raises BadQuestion."""
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        if name not in PARAMETERS:
            raise BadQuestion(f"unknown parameter {_quoted(name)}; the parameters are {', '.join(PARAMETERS)}")
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if name != "kind" and len(values) > 1:
            raise BadQuestion(f"{name} must not be repeated")
    kinds = given.pop("kind", [])
    one = {name: values[0] for name, values in given.items()}
    return EventQuery(
        since=_instant("since", one["since"], now=now) if "since" in one else None,
        until=_instant("until", one["until"], now=now) if "until" in one else None,
        after=_number("after", one["after"], least=0, most=10**_MAX_DIGITS) if "after" in one else None,
        kinds=frozenset(map(_kind, kinds)) if kinds else None,
        virtual_service=one.get("virtual_service"),
        real_server=one.get("real_server"),
        limit=_number("limit", one["limit"], least=1, most=KEPT) if "limit" in one else DEFAULT_LIMIT,
    )


def _instant(name: str, text: str, *, now: float) -> float:
    """Seconds since 1970 of an instant, or of a time ago.  An unescaped ``+`` of an address has become a blank."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_rfc3339(text[:10] + text[10:].replace(" ", "+") if text[10:11] in {"T", "t"} else text)
    except ValueError:
        raise BadQuestion(
            f"{name}={_quoted(text)} must be a time like 2023-11-14T22:13:20Z or a duration before now like 2h"
        ) from None


def _number(name: str, text: str, *, least: int, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and least <= int(text) <= most:
        return int(text)
    raise BadQuestion(f"{name}={_quoted(text)} must be a number from {least} to {most}")


def _kind(text: str) -> EventKind:
    try:
        return EventKind(text)
    except ValueError:
        known = [kind.value for kind in EventKind]
        near = get_close_matches(text[:100], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"kinds are {', '.join(known)}"
        raise BadQuestion(f"unknown kind {_quoted(text)}; {hint}") from None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}...")


def _clean(text: str) -> str:
    """``text`` as UTF-8 can hold it: what a server sent need not be."""
    return text.encode(errors="replace").decode()
