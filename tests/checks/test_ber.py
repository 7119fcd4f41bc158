from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvs_agent.checks.kinds.ldap import ber
from lvs_agent.checks.kinds.ldap.ber import Element, Malformed


@pytest.mark.parametrize(
    ("value", "content"),
    [(0, "00"), (127, "7f"), (128, "0080"), (256, "0100"), (-1, "ff"), (-128, "80"), (-129, "ff7f")],
)
def test_integers_take_as_few_bytes_as_they_can(value: int, content: str) -> None:
    """As X.690 (8.3) has it."""
    assert ber.integer(value) == bytes.fromhex(f"02 {len(content) // 2:02x} {content}")


@pytest.mark.parametrize(("length", "head"), [(0, "0400"), (127, "047f"), (128, "048180"), (256, "04820100")])
def test_lengths_take_as_few_bytes_as_they_can(length: int, head: str) -> None:
    """The short form below 128, the long one from there on (X.690, 8.1.3)."""
    assert ber.encoded(ber.OCTET_STRING, b"x" * length).removesuffix(b"x" * length) == bytes.fromhex(head)


@settings(max_examples=50)
@given(st.integers(-(2**63), 2**63 - 1))
def test_integer_comes_back(value: int) -> None:
    """What is encoded is read again."""
    (element,) = ber.elements(ber.integer(value))

    assert ber.number(element) == value


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=5))
def test_elements_come_back(wanted: list[tuple[int, bytes]]) -> None:
    """Every tag and content, one behind the other."""
    assert ber.elements(b"".join(ber.encoded(tag, content) for tag, content in wanted)) == tuple(
        Element(*each) for each in wanted
    )


@settings(max_examples=100)
@given(st.binary(max_size=64))
def test_any_bytes_are_elements_or_malformed(data: bytes) -> None:
    """Nothing else is raised, and nothing is made up: the contents are parts of the input."""
    try:
        found = ber.elements(data)
    except Malformed:
        return

    assert all(element.content in data for element in found)
    assert sum(2 + len(element.content) for element in found) <= len(data)


@pytest.mark.parametrize(
    "data",
    [b"\x30", b"\x30\x80\x00\x00", b"\x30\x85\x00\x00\x00\x00\x00", b"\x30\x84\xff\xff\xff\xff", b"\x30\x82\x01"],
)
def test_lengths_that_are_not_kept_are_malformed(data: bytes) -> None:
    """Cut off, indefinite, with more bytes than anybody needs, or longer than what is there."""
    with pytest.raises(Malformed):
        ber.elements(data)


@pytest.mark.parametrize("element", [Element(ber.INTEGER, b""), Element(ber.INTEGER, bytes(9)), Element(4, b"\x01")])
def test_what_is_no_integer_is_malformed(element: Element) -> None:
    """Empty, too long, or of another type."""
    with pytest.raises(Malformed, match="not an integer"):
        ber.number(element)


def test_wrong_type_is_named() -> None:
    """Another tag, or too few parts."""
    with pytest.raises(Malformed, match="tag 0x04 instead of 0x30"):
        ber.members(Element(4, b""), tag=0x30, least=0)
    with pytest.raises(Malformed, match="0 elements instead of 2"):
        ber.members(Element(0x30, b""), tag=0x30, least=2)
    with pytest.raises(Malformed, match="not a string"):
        ber.string(Element(2, b""))
