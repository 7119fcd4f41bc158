"""What came from elsewhere, made fit for a terminal: what a server answers must not steer it."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` with a replacement character for everything that does not just stand there."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
