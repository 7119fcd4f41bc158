"""When a check runs.  Pure: every function takes and returns times in seconds.

Each check has a grid: the times ``(fraction + k) * interval`` for every integer k, on a clock that never jumps.
``fraction`` (0 <= fraction < 1) is a hash of the check's id, so checks spread evenly, and a check keeps its times
through reloads and restarts of its probe.  Times are computed from k and never by adding intervals: no drift.
"""

from __future__ import annotations

import hashlib
import math

from lvs_agent.model.check import CheckId, CheckSpec

FIRST_SPREAD_S = 1.0
"""Seconds within which all new checks make their first probe, however long their interval is."""

FIRST_PACE_S = 0.001
"""Most seconds for each new check, so that a few checks start at once and a small table is filled quickly."""


def fraction_of(check: CheckId) -> float:
    """The place of a check in its interval, 0 <= fraction < 1; the same in every process."""
    digest = hashlib.blake2b(check.encode(), digest_size=6).digest()
    return int.from_bytes(digest) / (1 << 48)


def first_run(*, fraction: float, interval_s: float, now: float, together: int) -> float:
    """The time of the first probe of a new check: soon, and spread by hash among ``together`` new checks."""
    return now + fraction * min(interval_s, FIRST_SPREAD_S, together * FIRST_PACE_S)


def next_run(*, fraction: float, interval_s: float, after: float) -> float:
    """The first time of the grid that is later than ``after``."""
    k = math.floor(after / interval_s - fraction) + 1
    due = (fraction + k) * interval_s
    while due <= after:
        k += 1
        due = (fraction + k) * interval_s
    return due


def run_after(fraction: float, interval_s: float, due: float, /) -> float:
    """The time of the grid after its time ``due``; computed from the number of the run, so nothing drifts."""
    return (fraction + round(due / interval_s - fraction) + 1) * interval_s


def run_after_change(*, fraction: float, interval_s: float, last: float, now: float) -> float:
    """The next run after the grid was left or changed: after ``now``, and at least half an interval after ``last``.

    ``last`` is the probe that was not on this grid: the first one, or the last one at another interval.
    """
    return next_run(fraction=fraction, interval_s=interval_s, after=max(now, last + interval_s / 2))


def interval_of(spec: CheckSpec, *, down: bool, doubted: bool) -> float:
    """Seconds between two runs.  ``down``: the check is down; ``doubted``: its last result contradicts its health."""
    interval_s = spec.down_interval_s if down else spec.interval_s
    return min(interval_s, spec.fast_interval_s) if doubted and spec.fast_interval_s is not None else interval_s
