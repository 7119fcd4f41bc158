from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.event_line import MAX_LINE, RENAMED, SCHEMA, event_line, parse_event_line
from lvs_agent.core.instant import LAST_INSTANT
from lvs_agent.model.event import Event, EventKind

TEXTS = st.text(st.characters(), max_size=20)
"""Surrogates too: what a server sends need not be UTF-8."""

EVENTS = st.builds(
    Event,
    number=st.integers(1, 2**63 - 1),
    at=st.floats(0, LAST_INSTANT),
    kind=st.sampled_from(EventKind),
    virtual_service=TEXTS,
    real_server=TEXTS,
    facts=st.dictionaries(
        TEXTS, TEXTS | st.integers(-(2**70), 2**70) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
    ),
)


@given(EVENTS)
def test_event_survives_the_file(event: Event) -> None:
    """A line holds the whole event, whatever is in it, on one line of ASCII."""
    line = event_line(event)

    assert parse_event_line(line) == event
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
    | st.dictionaries(
        st.sampled_from(["schema", "number", "at", "kind", "virtual_service", "real_server", "facts"]),
        st.none() | st.just(SCHEMA) | st.integers() | st.floats() | st.text() | st.just("started") | st.just({"a": []}),
    )
    .map(json.dumps)
    .map(str.encode)
)
def test_no_bytes_raise_anything_but_the_one_error(line: bytes) -> None:
    """Whatever stands in the file, a line is an event or a ValueError."""
    try:
        event = parse_event_line(line)
    except ValueError:
        return
    assert parse_event_line(event_line(event)) == event


@pytest.mark.parametrize(("name", "kind"), RENAMED.items(), ids=list(RENAMED))
def test_kind_that_was_renamed_is_still_read(name: str, kind: EventKind) -> None:
    """The journal of an earlier version is not damaged; the event has its new name."""
    line = json.dumps({"schema": SCHEMA, "number": 1, "at": 0, "kind": name}).encode()

    assert parse_event_line(line).kind is kind
    assert name not in {one.value for one in EventKind}


GOOD = {"schema": 1, "number": 1, "at": 0, "kind": "started"}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param({**GOOD, "schema": 2}, id="form of the future"),
        pytest.param({**GOOD, "kind": "kind of the future"}, id="kind of the future"),
        pytest.param({**GOOD, "number": True}, id="no number"),
        pytest.param({**GOOD, "number": 0}, id="number 0"),
        pytest.param({**GOOD, "at": 1e300}, id="no instant"),
        pytest.param({**GOOD, "at": float("nan")}, id="not a number"),
        pytest.param({**GOOD, "facts": {"a": {}}}, id="fact with parts"),
        pytest.param({**GOOD, "facts": {"a": float("inf")}}, id="infinite fact"),
        pytest.param({**GOOD, "virtual_service": 5}, id="no name"),
        pytest.param({**GOOD, "facts": {"a": "x" * MAX_LINE}}, id="too long"),
        pytest.param([GOOD], id="no object"),
    ],
)
def test_line_that_is_not_ours_is_refused(line: object) -> None:
    """What another version, or somebody else, has written is not taken for something that it is not."""
    assert parse_event_line(json.dumps(GOOD).encode()) == Event(number=1, at=0.0, kind=EventKind.AGENT_STARTED)
    with pytest.raises(ValueError, match=r"\w"):
        parse_event_line(json.dumps(line).encode())


def test_deep_line_is_refused() -> None:
    """Brackets without end are a damaged line like any other."""
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_event_line(b"[" * 60_000)
