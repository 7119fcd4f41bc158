"""Lengths of time, counts and rates as people read them.  The page, the terminal and ``why`` use the same."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_PREFIXES = ("", "k", "M", "G", "T", "P")


def span(seconds: float) -> str:
    """``12.3 ms``, ``4.2 s``, ``42 s``, ``5 min``, ``3 h 20 min`` or ``12 d 4 h``; never a negative one."""
    seconds = max(0.0, seconds)
    if seconds < 0.99995:  # what is more than that rounds to 1000.0 ms
        return f"{seconds * 1000:.1f} ms"
    whole = round(seconds)
    if whole < 10:
        return f"{seconds:.1f} s"
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
    return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def ago(seconds: float) -> str:
    """``4.2 s ago``; ``just now`` within a second, or where two clocks do not agree."""
    return "just now" if seconds < 1 else f"{span(seconds)} ago"


def about(seconds: float) -> str:
    """A length of time that nobody knows exactly: no less than ``1 s``, and without fractions."""
    return span(seconds) if seconds >= 10 else f"{max(1, round(seconds))} s"


def _two(more: int, unit: str, less: int, smaller: str) -> str:
    return f"{more} {unit} {less} {smaller}" if less else f"{more} {unit}"


def amount(value: float, unit: str = "") -> str:
    """``950``, ``1.2 k``, ``34 M``: three digits at most, in steps of a thousand, with the unit behind it."""
    step = 0
    while value >= 999.5 and step < len(_PREFIXES) - 1:
        value, step = value / 1000, step + 1
    number = f"{value:.1f}" if step and value < 9.95 else f"{value:.0f}"
    end = _PREFIXES[step] + unit
    return f"{number} {end}" if end else number


def plural(count: int, word: str, words: str = "") -> str:
    """``1 failure``, ``2 failures``; ``words`` where an ``s`` does not do."""
    return f"{count} {word if count == 1 else words or word + 's'}"
