"""What is counted of one check, a thousand times a second: the one place where a result changes something in place.

Replacing a frozen status for each result would cost as much as a tenth of the check itself.  Readers get frozen ones.
"""

from __future__ import annotations

from bisect import bisect_left

from lvs_agent.core.health import UNKNOWN, CheckState, Health, judge
from lvs_agent.core.snapshot import CHECK_BOUNDS, CheckStatus, Histogram
from lvs_agent.model.check import CheckReport, ErrorReason, Failed, FailureReason, Passed

_UP = CheckState(Health.UP)


class Ledger:
    """State and counts of one check.  Changed only on the loop's thread; ``status`` may be asked for from any."""

    __slots__ = ("_counts", "_errors", "_failures", "_total", "last", "state")

    def __init__(self) -> None:
        self.state = UNKNOWN
        self.last: CheckReport | None = None
        self._failures: dict[FailureReason, int] = {}
        self._errors: dict[ErrorReason, int] = {}
        self._counts = [0] * (len(CHECK_BOUNDS) + 1)
        self._total = 0.0

    def note(self, report: CheckReport, *, rise: int, fall: int) -> bool:
        """Account for ``report``; whether the check's health is another one now."""
        duration = report.duration_s
        self.last = report
        self._counts[bisect_left(CHECK_BOUNDS, duration)] += 1
        self._total += duration
        result, before = report.result, self.state
        if isinstance(result, Passed):
            if before == _UP:
                return False
        elif isinstance(result, Failed):
            self._failures[result.reason] = self._failures.get(result.reason, 0) + 1
        else:
            self._errors[result.reason] = self._errors.get(result.reason, 0) + 1
        self.state = judge(before, result, rise=rise, fall=fall)
        return self.state.health is not before.health

    def status(self) -> CheckStatus:
        """State and counts as they are now; copying a list or a dict is one step under the interpreter's lock."""
        return CheckStatus(
            state=self.state,
            last=self.last,
            failures=dict(self._failures),
            errors=dict(self._errors),
            durations=Histogram(CHECK_BOUNDS, tuple(self._counts), self._total),
        )
