"""Where comments and warnings of an ldirectord.cf go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.config.findings import Location
from lvs_agent.errors import Problem
from lvs_agent.ldirectord.convert.notes import Note, notes, settled
from lvs_agent.ldirectord.reader import Reading

LINES = (
    "# head",
    "checkinterval=1  # every second",
    "fork=yes",
    "virtual=192.0.2.1:80",
    "\treal=10.0.0.1:80 gate 1 # old",
    "\tscheduler=rr",
    "\tsmtp=mail",
    "virtual=192.0.2.2:80",
    "\tscheduler=rr",
)
FIRST: Location = ("virtual_service", 0)
PLACES: Mapping[Location, int] = {
    (*FIRST, "check", "interval"): 2,
    FIRST: 4,
    (*FIRST, "address"): 4,
    (*FIRST, "real_server", 0): 5,
    (*FIRST, "real_server", 0, "weight"): 5,
    (*FIRST, "scheduler"): 6,
    ("virtual_service", 1): 8,
    ("virtual_service", 1, "scheduler"): 9,
}
COMPACT: dict[str, Any] = {
    "defaults": {"scheduler": "rr", "check": {"interval": "1s"}},
    "virtual_service": [
        {"address": "192.0.2.1", "port": 80, "real_server": [{"address": "10.0.0.1"}]},
        {"address": "192.0.2.2", "port": 80},
    ],
}


def found(comments: Mapping[Location, Sequence[str]], *warnings: Problem) -> Mapping[Location, Note]:
    """The notes for the file above."""
    texts = {place: tuple(each) for place, each in comments.items()}
    reading = Reading(tables={}, places=PLACES, comments=texts, warnings=warnings, alerts=())
    return notes(reading, COMPACT, lines=LINES, file="a.cf")


def test_comment_behind_a_value_stays_behind_it() -> None:
    """Also where the value is written in the defaults now; lines before it stay before it."""
    made = found({(*FIRST, "check", "interval"): ("before", "every second")})

    assert made == {("defaults", "check", "interval"): Note(("before",), "every second")}


def test_comment_of_a_server_stays_with_it() -> None:
    """Even if what it was about, its weight, need not be written any more."""
    place = (*FIRST, "real_server", 0)

    assert found({(*place, "weight"): ("old",)}) == {place: Note((), "old")}


def test_comment_of_what_is_gone_stands_before_the_table() -> None:
    """A value that holds anyway is not written, but what was said of it is."""
    assert found({(*FIRST, "protocol"): ("as always",)}) == {FIRST: Note(("as always",))}


def test_comments_that_meet_are_all_kept_once() -> None:
    """Two services that say the same say it once in the defaults."""
    made = found({(*FIRST, "scheduler"): ("fair",), ("virtual_service", 1, "scheduler"): ("fair", "and simple")})

    assert made == {("defaults", "scheduler"): Note(("fair", "and simple"))}


def test_warning_stands_where_its_line_went() -> None:
    """At the value or table that the line made, with the file and the line."""
    made = found({}, Problem("line 2", "odd"), Problem("line 5", "a blank"))

    assert made == {
        ("defaults", "check", "interval"): Note(("a.cf line 2: odd",)),
        (*FIRST, "real_server", 0): Note(("a.cf line 5: a blank",)),
    }


def test_warning_of_a_line_that_made_nothing_stands_before_its_service() -> None:
    """Or at the head of the file, where the line is before every service."""
    of_file = Problem("", "odd as a whole")
    made = found({}, of_file, Problem("line 3", "fork"), Problem("line 7", "smtp"), Problem("line 99", "late"))

    assert made == {
        (): Note(("a.cf odd as a whole", "a.cf line 3: fork")),
        FIRST: Note(("a.cf line 7: smtp",)),
        ("virtual_service", 1): Note(("a.cf line 99: late",)),
    }


@given(
    st.lists(
        st.sampled_from(["defaults", "virtual_service", "real_server", "check", "scheduler", "port", 0, 1, 2])
    ).map(tuple)
)
def test_every_location_has_a_place(location: Location) -> None:
    """Whatever the comments are said to belong to, they are kept."""
    place, _ = settled(location, COMPACT)

    assert settled(place, COMPACT) == (place, True)
