from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.model.event import Event, EventKind, Fact
from lvs_agent.view.event_sentence import sentence


def said(kind: EventKind, /, **facts: Fact) -> str:
    """The sentence about 10.0.0.1:80 of web."""
    return sentence(Event(number=1, at=0.0, kind=kind, virtual_service="web", real_server="10.0.0.1:80", facts=facts))


@pytest.mark.parametrize(
    ("kind", "facts", "expected"),
    [
        (
            EventKind.SERVER_DOWN,
            {"check": "http", "reason": "status", "detail": "status 503"},
            "10.0.0.1:80 of web went down: http check failed (status 503)",
        ),
        (
            EventKind.SERVER_DOWN,
            {"check": "tcp", "reason": "connect_timeout"},
            "10.0.0.1:80 of web went down: tcp check failed (connect timeout)",
        ),
        (EventKind.SERVER_UP, {"check": "tcp"}, "10.0.0.1:80 of web is up: tcp check passed"),
        (
            EventKind.TABLE_CHANGED_BY_OTHERS,
            {"kind": "missing"},
            "another program has deleted 10.0.0.1:80 of web in the table",
        ),
        (
            EventKind.OPERATION_APPLIED,
            {"operation": "update_destination", "changed": "weight", "weight": 0},
            "10.0.0.1:80 of web now has weight 0",
        ),
        (
            EventKind.OPERATION_APPLIED,
            {"operation": "update_destination", "changed": "forwarding,weight", "weight": 0},
            "10.0.0.1:80 of web was changed in the table: forwarding, weight",
        ),
        (
            EventKind.OPERATION_REFUSED,
            {"operation": "add_destination", "error": "EPERM"},
            "the kernel refused add_destination 10.0.0.1:80 of web: EPERM",
        ),
        (
            EventKind.CONFIGURATION_REFUSED,
            {"problems": 1, "problem": "agent: unknown key"},
            "the new configuration was refused (1 problem): agent: unknown key",
        ),
        (
            EventKind.SORRY_COMMAND,
            {"command": "/bin/sorry", "action": "start", "outcome": "exit_status", "exit_status": 3},
            "sorry command of web, /bin/sorry start: exit status 3",
        ),
        (
            EventKind.SERVER_UP,
            {"check": "tcp", "repeated": 7},
            "10.0.0.1:80 of web is up: tcp check passed (7 times more)",
        ),
    ],
)
def test_sentence_says_who_what_and_why(kind: EventKind, facts: dict[str, Fact], expected: str) -> None:
    """One sentence that a person understands without the facts beside it."""
    assert said(kind, **facts) == expected


@given(
    st.sampled_from(EventKind),
    st.dictionaries(
        st.sampled_from(
            ["check", "detail", "reason", "operation", "changed", "weight", "error", "problems", "kind", "repeated"]
        ),
        st.text(max_size=5) | st.integers() | st.floats() | st.booleans(),
    ),
)
def test_every_kind_has_a_sentence_whatever_the_facts(kind: EventKind, facts: dict[str, Fact]) -> None:
    """A kind without a sentence cannot be added, and a fact of another version breaks none."""
    assert said(kind, **facts).strip()
