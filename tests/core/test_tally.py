from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import CheckStatus, ServerStatus
from lvs_agent.core.tally import account, settle
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.builders import NOW, report

RESULTS: st.SearchStrategy[CheckResult] = st.one_of(
    st.just(Passed()),
    st.sampled_from(FailureReason).map(Failed),
    st.sampled_from(ErrorReason).map(Errored),
)


@given(results=st.lists(RESULTS, max_size=30), rise=st.integers(1, 3), fall=st.integers(1, 3))
def test_every_probe_is_counted_once(results: list[CheckResult], rise: int, fall: int) -> None:
    """All of them in the histogram, failures and errors by reason, and the last one is kept."""
    status = CheckStatus()
    for number, result in enumerate(results):
        status = account(status, report(result=result, duration_s=number / 10), rise=rise, fall=fall)
    failed = [result.reason for result in results if isinstance(result, Failed)]
    errored = [result.reason for result in results if isinstance(result, Errored)]

    assert sum(status.durations.counts) == len(results)
    assert status.failures == {reason: failed.count(reason) for reason in failed}
    assert status.errors == {reason: errored.count(reason) for reason in errored}
    assert (status.last.result if status.last else None) == (results[-1] if results else None)


@given(st.lists(RESULTS, max_size=30))
def test_counting_changes_no_earlier_status(results: list[CheckResult]) -> None:
    """A snapshot that somebody holds stays what it was."""
    first = account(CheckStatus(), report(result=Failed(FailureReason.REFUSED)), rise=1, fall=1)
    status = first
    for result in results:
        status = account(status, report(result=result), rise=1, fall=1)

    assert first.failures == {FailureReason.REFUSED: 1}
    assert sum(first.durations.counts) == 1


def test_verdict_that_changes_nothing_keeps_its_time() -> None:
    """Since when is when it became so."""
    status = ServerStatus(Health.UP, since=NOW, ups=2, downs=2)

    assert settle(status, Health.UP, at=NOW + 5) is status


def test_first_verdict_is_dated_and_not_a_change() -> None:
    """A start is no flapping."""
    assert settle(ServerStatus(), Health.DOWN, at=NOW) == ServerStatus(Health.DOWN, since=NOW)


def test_earlier_process_that_knew_the_same_dates_it() -> None:
    """A restart does not make a long outage a new one."""
    remembered = ServerStatus(Health.DOWN, since=NOW - 3_600)

    assert settle(ServerStatus(), Health.DOWN, at=NOW, remembered=remembered).since == NOW - 3_600
    assert settle(ServerStatus(), Health.UP, at=NOW, remembered=remembered).since == NOW


def test_earlier_process_does_not_date_a_change_that_was_seen() -> None:
    """What this process saw itself counts."""
    remembered = ServerStatus(Health.DOWN, since=NOW - 3_600)

    assert settle(ServerStatus(Health.UP, NOW), Health.DOWN, at=NOW + 5, remembered=remembered).since == NOW + 5


@given(st.lists(st.sampled_from(Health), max_size=40))
def test_changes_between_up_and_down_are_counted(healths: list[Health]) -> None:
    """Only a direct change counts, and since is when the last one was."""
    status = ServerStatus()
    for second, health in enumerate(healths):
        status = settle(status, health, at=NOW + second)
    pairs = list(zip([Health.UNKNOWN, *healths], healths, strict=False))
    changes = [second for second, (before, after) in enumerate(pairs) if before is not after]

    assert status.ups == pairs.count((Health.DOWN, Health.UP))
    assert status.downs == pairs.count((Health.UP, Health.DOWN))
    assert status.since == (NOW + changes[-1] if changes else None)
