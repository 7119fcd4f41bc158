"""Text from outside is shown as one line."""

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.one_line import one_line


@given(st.text())
def test_result_is_printable_and_as_long(text: str) -> None:
    """Each character stays in its place, and what is not printable has another one instead of it."""
    shown = one_line(text, instead="?")

    assert shown.isprintable()
    assert len(shown) == len(text)
    assert all(there in (letter, "?") for letter, there in zip(text, shown, strict=True))
