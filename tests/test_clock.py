from __future__ import annotations

from lvs_agent.clock import ManualClock, SystemClock


def test_manual_clock_stands_still_until_it_is_moved() -> None:
    """Both times move together and by what the test says."""
    clock = ManualClock(now=1_000.0, monotonic=50.0)
    still = (clock.now(), clock.monotonic(), clock.now(), clock.monotonic())
    clock.advance(2.5)

    assert still == (1_000.0, 50.0, 1_000.0, 50.0)
    assert (clock.now(), clock.monotonic()) == (1_002.5, 52.5)


def test_system_clock_never_goes_back() -> None:
    """The monotonic time, that is; the other one is about today."""
    clock = SystemClock()
    first, second = clock.monotonic(), clock.monotonic()

    assert second >= first
    assert clock.now() > 1_700_000_000
