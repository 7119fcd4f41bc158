"""Events as the API and the status page have them: plain data, and a sentence."""

from __future__ import annotations

from typing_extensions import TypedDict

from lvs_agent.core.event_sentence import sentence
from lvs_agent.core.instant import rfc3339
from lvs_agent.model.event import Event, Fact


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


def event_entry(event: Event) -> EventEntry:
    """What is told of ``event``; only text that can be written as UTF-8."""
    return EventEntry(
        number=event.number,
        at=rfc3339(event.at),
        kind=event.kind.value,
        virtual_service=_clean(event.virtual_service) or None,
        real_server=_clean(event.real_server) or None,
        facts={name: _clean(fact) if isinstance(fact, str) else fact for name, fact in event.facts.items()},
        text=_clean(sentence(event)),
    )


def _clean(text: str) -> str:
    """``text`` as UTF-8 can hold it: what a server sent need not be."""
    return text.encode(errors="replace").decode()
