"""Basic Encoding Rules (ITU-T X.690) as far as LDAP needs them: tags of one byte, definite lengths (RFC 4511, 5.1).

Pure.  Decoding takes apart one level at a time and copies nothing twice, so that no input makes it recurse or grow.
"""

from __future__ import annotations

from typing import NamedTuple

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE = 0x01, 0x02, 0x04, 0x0A, 0x30
_LONG_FORM = 0x80
_MOST_LENGTH_BYTES = 4
_MOST_INTEGER_BYTES = 8


class Malformed(ValueError):
    """Bytes that are not BER, or not what must come there.  The message is for a person."""


class Element(NamedTuple):
    """One value: its tag, and its content still encoded."""

    tag: int
    content: bytes


def encoded(tag: int, *contents: bytes) -> bytes:
    """The element with ``tag`` that has ``contents`` one behind the other."""
    content = b"".join(contents)
    length = len(content)
    if length < _LONG_FORM:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(size))) + size + content


def integer(value: int, *, tag: int = INTEGER) -> bytes:
    """An INTEGER (or with ``tag`` an ENUMERATED) in as few bytes as it takes."""
    bits = value.bit_length() if value >= 0 else (value + 1).bit_length()
    return encoded(tag, value.to_bytes(bits // 8 + 1, "big", signed=True))


def text(value: str, *, tag: int = OCTET_STRING) -> bytes:
    """An OCTET STRING in UTF-8."""
    return encoded(tag, value.encode())


def boolean(*, value: bool) -> bytes:
    """A BOOLEAN."""
    return encoded(BOOLEAN, b"\xff" if value else b"\x00")


def length_bytes(first: int) -> int:
    """How many more bytes the length has whose first byte is ``first``; 0: it is the length.  Raises Malformed."""
    if first < _LONG_FORM:
        return 0
    more = first & ~_LONG_FORM
    if not 0 < more <= _MOST_LENGTH_BYTES:
        raise Malformed("an indefinite or enormous length")
    return more


def elements(data: bytes) -> tuple[Element, ...]:
    """The elements that ``data`` is made of.  Raises Malformed."""
    found = []
    at = 0
    while at < len(data):
        element, at = _element(data, at)
        found.append(element)
    return tuple(found)


def members(element: Element, *, tag: int, least: int) -> tuple[Element, ...]:
    """What a constructed ``element`` with ``tag`` is made of, ``least`` elements or more.  Raises Malformed."""
    if element.tag != tag:
        raise Malformed(f"tag 0x{element.tag:02x} instead of 0x{tag:02x}")
    found = elements(element.content)
    if len(found) < least:
        raise Malformed(f"{len(found)} elements instead of {least}")
    return found


def number(element: Element, *, tag: int = INTEGER) -> int:
    """The value of an INTEGER (or with ``tag`` an ENUMERATED).  Raises Malformed."""
    if element.tag != tag or not 0 < len(element.content) <= _MOST_INTEGER_BYTES:
        raise Malformed("not an integer")
    return int.from_bytes(element.content, "big", signed=True)


def string(element: Element) -> str:
    """The text of an OCTET STRING; what is not UTF-8 in it is shown as such.  Raises Malformed."""
    if element.tag != OCTET_STRING:
        raise Malformed("not a string")
    return element.content.decode("utf-8", "replace")


def _element(data: bytes, at: int) -> tuple[Element, int]:
    """The element that begins at ``at``, and where it ends."""
    if at + 2 > len(data):
        raise Malformed("an element is cut off")
    tag, length = data[at], data[at + 1]
    begin = at + 2 + length_bytes(length)
    if length >= _LONG_FORM:
        length = int.from_bytes(data[at + 2 : begin], "big")
    end = begin + length
    if end > len(data):
        raise Malformed("an element is cut off")
    return Element(tag, data[begin:end]), end
