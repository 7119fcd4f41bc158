"""Advice for messages: lists of allowed words, and the nearest one to the word in the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_KEYS_LISTED = 30


def enumerate_words(words: Sequence[str], *, last: str = "or") -> str:
    """``"a"``, ``"a or b"``, ``"a, b or c"``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def nearest(word: object, *, known: Iterable[str]) -> str | None:
    """The known word that ``word`` was probably meant to be, or None."""
    if not isinstance(word, str):
        return None
    plain = word.lower().replace("-", "_")
    close = get_close_matches(plain, {key.replace("-", "_"): key for key in known}, n=1, cutoff=0.6)
    return next((key for key in known if key.replace("-", "_") in close), None)


def must_be_one_of(words: Sequence[str], *, given: object) -> str:
    """The sentence for a word that is none of ``words``; what was given is not repeated, it may be a secret."""
    guess = nearest(given, known=words) if len(words) > 1 else None
    return f"must be {enumerate_words(words)}" + (f"; did you mean '{guess}'?" if guess else "")


def unknown_key(key: str, *, known: Sequence[str]) -> str:
    """The message for a key that is not allowed in its table."""
    guess = nearest(key, known=known)
    if guess is not None:
        return f"unknown key '{key}'; did you mean '{guess}'?"
    if not known or len(known) > _MOST_KEYS_LISTED:
        return f"unknown key '{key}'"
    return f"unknown key '{key}'; known here: {', '.join(sorted(known))}"
