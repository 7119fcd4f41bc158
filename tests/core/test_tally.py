from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import ServerStatus
from lvs_agent.core.tally import settle
from tests.builders import NOW


def test_verdict_that_changes_nothing_keeps_its_time() -> None:
    """Since when is when it became so."""
    status = ServerStatus(Health.UP, since=NOW, ups=2, downs=2)

    assert settle(status, Health.UP, at=NOW + 5) is status


def test_first_verdict_is_dated_and_not_a_change() -> None:
    """A start does not count as flapping."""
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
