from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.control.ledger import Ledger
from lvs_agent.core.health import UNKNOWN, judge
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.builders import report

RESULTS: st.SearchStrategy[CheckResult] = st.one_of(
    st.just(Passed()),
    st.sampled_from(FailureReason).map(Failed),
    st.sampled_from(ErrorReason).map(Errored),
)


@given(results=st.lists(RESULTS, max_size=30), rise=st.integers(1, 3), fall=st.integers(1, 3))
def test_every_probe_is_counted_once(results: list[CheckResult], rise: int, fall: int) -> None:
    """All of them in the histogram, failures and errors by reason, and the last one is kept."""
    ledger = Ledger()
    for number, result in enumerate(results):
        ledger.note(report(result=result, duration_s=number / 10), rise=rise, fall=fall)
    failed = [result.reason for result in results if isinstance(result, Failed)]
    errored = [result.reason for result in results if isinstance(result, Errored)]

    status = ledger.status()
    assert sum(status.durations.counts) == len(results)
    assert status.durations.total == sum(number / 10 for number in range(len(results)))
    assert status.failures == {reason: failed.count(reason) for reason in failed}
    assert status.errors == {reason: errored.count(reason) for reason in errored}
    assert (status.last.result if status.last else None) == (results[-1] if results else None)


@given(results=st.lists(RESULTS, max_size=30), rise=st.integers(1, 3), fall=st.integers(1, 3))
def test_health_follows_the_rules_and_each_change_is_told(results: list[CheckResult], rise: int, fall: int) -> None:
    """The shortcut for the usual result takes nothing away from the rules of health."""
    ledger, state = Ledger(), UNKNOWN
    for result in results:
        before, state = state, judge(state, result, rise=rise, fall=fall)
        told = ledger.note(report(result=result), rise=rise, fall=fall)

        assert ledger.state == state
        assert told is (state.health is not before.health)


@given(st.lists(RESULTS, max_size=30))
def test_counting_changes_no_earlier_status(results: list[CheckResult]) -> None:
    """A snapshot that somebody holds stays what it was."""
    ledger = Ledger()
    ledger.note(report(result=Failed(FailureReason.REFUSED)), rise=1, fall=1)
    first = ledger.status()
    for result in results:
        ledger.note(report(result=result), rise=1, fall=1)

    assert first.failures == {FailureReason.REFUSED: 1}
    assert sum(first.durations.counts) == 1
