"""Times as text: RFC 3339, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

LAST_INSTANT = 253_402_300_799.0
"""Seconds since 1970 at the end of the year 9999: later times cannot be written."""

_WRITTEN = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", flags=re.ASCII
)


def rfc3339(seconds: float) -> str:
    """A time (seconds since 1970) as ``2023-11-14T22:13:20.000Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> float:
    """Seconds since 1970 from a time with an offset, such as ``rfc3339`` writes.  Raises ValueError."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError("must be an instant like 2023-11-14T22:13:20Z")
    day, time, fraction, offset = written.groups()
    whole = datetime.fromisoformat(f"{day}T{time}{'+00:00' if offset in 'Zz' else offset}")
    return whole.timestamp() + float(f"0.{fraction or 0}")
