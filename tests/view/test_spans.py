from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lvs_agent.view.spans import about, ago, amount, plural, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0.0 ms"),
        (0.0123, "12.3 ms"),
        (4.24, "4.2 s"),
        (42.4, "42 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (3_599.6, "1 h"),
        (12_000, "3 h 20 min"),
        (86_400, "24 h"),
        (172_800, "2 d"),
        (1_051_200, "12 d 4 h"),
    ],
)
def test_lengths_of_time_are_as_exact_as_people_want_them(seconds: float, words: str) -> None:
    """Two units at most, and the smaller one only where it says something."""
    assert span(seconds) == words


@given(st.floats(0, 1e9), st.floats(0, 1e9))
@example(0.0, 0.99999)
def test_units_never_reach_the_next_one(one: float, other: float) -> None:
    """No ``60 min``, no ``1000 ms``; whatever the length is, it is short."""
    for text in (span(one), span(other)):
        assert not text.startswith(("1000.", "60 min", "48 h"))
        assert len(text) <= len("11574 d 23 h")


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "just now"), (-3, "just now"), (96, "96 s ago")])
def test_moments_are_told_from_now(seconds: float, words: str) -> None:
    """Two clocks that do not agree give no time to come."""
    assert ago(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0, "1 s"), (4.4, "4 s"), (9.7, "10 s"), (75.2, "75 s")])
def test_estimates_have_no_fractions(seconds: float, words: str) -> None:
    """What is not known exactly does not look as if it were."""
    assert about(seconds) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0, "B/s", "0 B/s"),
        (999, "", "999"),
        (999.6, "", "1.0 k"),
        (1_240, "", "1.2 k"),
        (34_400, "B/s", "34 kB/s"),
        (999_600, "B/s", "1.0 MB/s"),
        (2**63, "B/s", "9223 PB/s"),
    ],
)
def test_amounts_have_three_digits_at_most(value: float, unit: str, words: str) -> None:
    """In steps of a thousand; only what is beyond all prefixes has more."""
    assert amount(value, unit) == words


def test_one_is_not_many() -> None:
    """Grammar."""
    assert [plural(1, "failure"), plural(2, "failure"), plural(0, "success", "successes")] == [
        "1 failure",
        "2 failures",
        "0 successes",
    ]
