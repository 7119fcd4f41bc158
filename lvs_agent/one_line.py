"""Makes one printable line of foreign text, so that it can neither forge a line of the log nor control a terminal."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def one_line(text: str, *, instead: str = REPLACEMENT) -> str:
    """``text`` with ``instead`` for each line end, control character and other character that is not printable."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else instead for letter in text)
