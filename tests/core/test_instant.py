from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.instant import LAST_INSTANT, parse_rfc3339, rfc3339


def test_instants_are_rfc_3339_in_utc() -> None:
    """Milliseconds always, so that texts sort as times do."""
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_700_000_000.1239) == "2023-11-14T22:13:20.123Z"


@given(st.integers(0, int(LAST_INSTANT) * 1_000))
def test_what_is_written_is_read_again(milliseconds: int) -> None:
    """An instant survives being written and read, to the millisecond, as far as there are years of four digits."""
    assert parse_rfc3339(rfc3339(milliseconds / 1_000)) == pytest.approx(milliseconds / 1_000, abs=0.0011)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14t22:13:20.5z", 1_700_000_000.5),
        ("2023-11-14 22:13:20Z", 1_700_000_000.0),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000.0),
        ("2023-11-14T19:43:20.250-02:30", 1_700_000_000.25),
    ],
)
def test_instants_may_have_offsets_and_fractions(text: str, seconds: float) -> None:
    """Every form that RFC 3339 (5.6) allows says the same instant."""
    assert parse_rfc3339(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-13-14T22:13:20Z",
        "2023-11-14T25:13:20Z",
        "٢٠٢٣-11-14T22:13:20Z",
    ],
)
def test_what_says_no_instant_is_refused(text: str) -> None:
    """An instant without an offset could be anywhere's, and is refused as well."""
    with pytest.raises(ValueError, match=r"instant|month|hour"):
        parse_rfc3339(text)
