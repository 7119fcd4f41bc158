from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from lvs_agent.clock import ManualClock
from lvs_agent.control.journal import Journal
from lvs_agent.model.event import KEPT, Event, EventKind, EventQuery
from lvs_agent.web.events import (
    PARAMETERS,
    BadQuestion,
    EventsDocument,
    event_entry,
    events_document,
    read_question,
)
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.builders import NOW, snapshot
from tests.web.worlds import world_backend

DOCUMENT = TypeAdapter(EventsDocument)


class Night:
    """A journal of an hour, an event each ten minutes, and a server that tells of it."""

    def __init__(self) -> None:
        self.clock = ManualClock(now=NOW - 3_600)
        self.journal = Journal(clock=self.clock)
        self.journal.record(EventKind.AGENT_STARTED, version="1")
        for number, kind in enumerate((EventKind.SERVER_UP, EventKind.SERVER_DOWN, EventKind.SERVER_UP)):
            self.clock.advance(600.0)
            self.journal.record(kind, virtual_service="web", real_server=f"10.0.0.{number}:80", check="http")
        self.clock.advance(1_800.0)
        self.server = WebServer(
            listener=bind(("127.0.0.1", 0)),
            sources=Sources(snapshot=snapshot, vitals=lambda: snapshot().vitals, events=self.journal.select),
            backend=world_backend(),
            clock=self.clock,
        )

    def get(self, query: str = "") -> httpx.Response:
        """What is answered to the question in the address."""
        return httpx.get(f"http://{self.server.address}/api/v1/events{query}", trust_env=False, timeout=10)

    def numbers(self, query: str = "") -> list[int]:
        """The numbers of the events in the answer, which has the shape that is documented."""
        document = DOCUMENT.validate_python(self.get(query).json())
        assert document["schema"] == 1
        return [entry["number"] for entry in document["events"]]


@pytest.fixture(scope="module")
def night() -> Iterator[Night]:
    """A night that is over, and can be asked about."""
    night = Night()
    night.server.start()
    yield night
    night.server.stop()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("?since=35m", [4]),
        ("?since=45m&until=35m", [3]),
        (f"?since={quote('2023-11-14T21:23:20.000Z')}", [2, 3, 4]),
        (f"?until={quote('2023-11-14T22:23:20+01:00')}", [1, 2]),
        ("?until=2023-11-14T22:23:20+01:00", [1, 2]),
        ("?after=2", [3, 4]),
        ("?after=2&limit=1", [3]),
        ("?limit=1", [4]),
        ("?kind=real_server_down&kind=started", [1, 3]),
        ("?virtual_service=web&real_server=10.0.0.1:80", [3]),
        ("?virtual_service=nobody", []),
    ],
)
def test_parameters_choose_events(night: Night, query: str, numbers: list[int]) -> None:
    """Times as instants or as times ago, kinds, names, and a number to go on from."""
    assert night.numbers(query) == numbers


def test_entry_has_facts_for_programs_and_a_sentence_for_people(night: Night) -> None:
    """Nobody has to know the facts to read it, or the sentence to work with it."""
    entry = night.get("?limit=1").json()["events"][0]

    assert entry == {
        "number": 4,
        "at": "2023-11-14T21:43:20.000Z",
        "kind": "real_server_up",
        "virtual_service": "web",
        "real_server": "10.0.0.2:80",
        "facts": {"check": "http"},
        "text": "10.0.0.2:80 of web is up: http check passed",
    }


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?since=yesterday", "2023-11-14T22:13:20Z or a duration before now like 2h"),
        ("?limit=0", f"from 1 to {KEPT}"),
        (f"?limit={KEPT + 1}", f"from 1 to {KEPT}"),
        ("?after=-1", "from 0 to"),
        ("?after=9999999999999999999999", "from 0 to"),
        ("?kind=real_server_dwon", "did you mean real_server_down?"),
        ("?kind=zzz", "kinds are started, stopped"),
        ("?limit=1&limit=2", "limit must not be repeated"),
        ("?service=web", "the parameters are since, until, after, kind, virtual_service, real_server, limit"),
    ],
)
def test_question_that_cannot_be_answered_is_told_what_can(night: Night, query: str, words: str) -> None:
    """400, with what is allowed."""
    answer = night.get(query)

    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_who_asks_on_gets_what_is_new_and_nothing_twice() -> None:
    """``next`` is the number to go on from, also where there was nothing."""
    journal = Journal(clock=ManualClock(now=NOW))
    empty = events_document(journal.select, EventQuery(after=0))
    journal.record(EventKind.AGENT_STARTED)
    first = events_document(journal.select, EventQuery(after=empty["next"]))
    nothing = events_document(journal.select, EventQuery(after=first["next"]))
    journal.record(EventKind.AGENT_STOPPED)
    last = events_document(journal.select, EventQuery(after=nothing["next"]))

    assert [entry["kind"] for document in (empty, first, nothing, last) for entry in document["events"]] == [
        "started",
        "stopped",
    ]


def test_journal_that_began_anew_is_told_from_its_start() -> None:
    """Where nothing outlives the process, a reader that asks on does not wait for numbers that will not come soon."""
    journal = Journal(clock=ManualClock(now=NOW))
    journal.record(EventKind.AGENT_STARTED)
    journal.record(EventKind.SERVER_UP)
    document = events_document(journal.select, EventQuery(after=500, kinds=frozenset({EventKind.SERVER_UP})))

    assert ([entry["number"] for entry in document["events"]], document["next"]) == ([2], 2)


@given(st.lists(st.tuples(st.sampled_from(PARAMETERS) | st.text(max_size=9), st.text(max_size=30))))
def test_no_question_breaks_anything(parameters: list[tuple[str, str]]) -> None:
    """Whatever stands in an address is a question or a refusal that can be written as JSON."""
    refusal = ""
    try:
        read_question(parameters, now=NOW)
    except BadQuestion as problem:
        refusal = str(problem)

    assert len(json.dumps(refusal, ensure_ascii=False).encode()) < 2_000


def test_entry_can_be_written_whatever_a_server_said() -> None:
    """Bytes that are no UTF-8 become question marks, in the facts and in the sentence."""
    event = Event(
        number=1,
        at=NOW,
        kind=EventKind.SERVER_DOWN,
        virtual_service="web\udce9",
        facts={"detail": "na\udcefve", "n\udcef": 1},
    )
    text = json.dumps(event_entry(event), ensure_ascii=False).encode().decode()

    assert "na?ve" in text
    assert '"n?": 1' in text
