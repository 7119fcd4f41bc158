"""The counts of one check.  They change with each result, for all checks a thousand times a second.

A frozen status for each result would cost a tenth of the check itself; a plain tuple costs almost nothing.  So a ledger
holds one tuple that each result replaces, and readers convert the tuples to frozen statuses.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from operator import attrgetter

from lvs_agent.core.health import UNKNOWN, CheckState, Health, judge
from lvs_agent.core.snapshot import CHECK_BOUNDS, CheckStatus, Histogram
from lvs_agent.model.check import CheckReport, ErrorReason, Failed, FailureReason, Passed

_UP = CheckState(Health.UP)
_NONE_COUNTED = (0,) * (len(CHECK_BOUNDS) + 1)

Record = tuple[
    CheckState,
    CheckReport | None,
    Mapping[FailureReason, int],
    Mapping[ErrorReason, int],
    tuple[int, ...],
    float,
]
"""State, last report, failures and errors by reason, durations by bound, and their sum.  Immutable."""


class Ledger:
    """State and counts of one check.  ``note`` is called on the loop's thread; ``record`` may be read from any."""

    __slots__ = ("record",)

    record: Record

    def __init__(self) -> None:
        self.record = (UNKNOWN, None, {}, {}, _NONE_COUNTED, 0.0)

    @property
    def state(self) -> CheckState:
        return self.record[0]

    @property
    def last(self) -> CheckReport | None:
        """The last report; None before the first."""
        return self.record[1]

    def note(self, report: CheckReport, *, rise: int, fall: int) -> bool:
        """Count ``report``; True if it changes the health of the check."""
        before, _, failures, errors, counts, total = self.record
        duration, result = report.duration_s, report.result
        slot = bisect_left(CHECK_BOUNDS, duration)
        counts = (*counts[:slot], counts[slot] + 1, *counts[slot + 1 :])
        if isinstance(result, Passed):
            if before == _UP:
                self.record = (before, report, failures, errors, counts, total + duration)
                return False
        elif isinstance(result, Failed):
            failures = {**failures, result.reason: failures.get(result.reason, 0) + 1}
        else:
            errors = {**errors, result.reason: errors.get(result.reason, 0) + 1}
        state = judge(before, result, rise=rise, fall=fall)
        self.record = (state, report, failures, errors, counts, total + duration)
        return state.health is not before.health

    def status(self) -> CheckStatus:
        """State and counts as they are now."""
        return status_of(self.record)


_record = attrgetter("record")


def records_of(ledgers: Iterable[Ledger]) -> list[Record]:
    """The records of ``ledgers``, taken atomically: no other thread runs meanwhile."""
    return list(map(_record, ledgers))


def status_of(record: Record) -> CheckStatus:
    """``record`` as the status that readers get."""
    state, last, failures, errors, counts, total = record
    return CheckStatus(
        state=state, last=last, failures=failures, errors=errors, durations=Histogram(CHECK_BOUNDS, counts, total)
    )
