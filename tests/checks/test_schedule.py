from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.checks.engine.schedule import (
    FIRST_PACE_S,
    FIRST_SPREAD_S,
    first_run,
    fraction_of,
    interval_of,
    next_run,
    run_after,
    run_after_change,
)
from lvs_agent.model.check import CheckId
from tests.builders import check_spec

fractions = st.floats(0, 1, exclude_max=True)
intervals = st.floats(0.05, 86_400)
times = st.floats(0, 1e7)


@given(fraction=fractions, interval=intervals, start=times)
def test_schedule_hits_every_time_of_its_grid_without_drift(fraction: float, interval: float, start: float) -> None:
    """A thousand runs later the time is what one multiplication says, and no interval was left out."""
    first = due = next_run(fraction=fraction, interval_s=interval, after=start)
    for _ in range(1_000):
        due = next_run(fraction=fraction, interval_s=interval, after=due)

    assert abs(due - (first + 1_000 * interval)) < 1e-6 * max(1.0, interval) + 1e-9 * due


@given(fraction=fractions, interval=intervals, after=times)
def test_next_run_is_later_and_within_one_interval(fraction: float, interval: float, after: float) -> None:
    """The next run is never now or before, and never further away than the interval."""
    due = next_run(fraction=fraction, interval_s=interval, after=after)

    assert after < due <= after + interval * (1 + 1e-9) + 1e-6


@given(fraction=fractions, interval=intervals, after=times, delay=st.floats(0, 1))
def test_late_start_does_not_move_the_grid(fraction: float, interval: float, after: float, delay: float) -> None:
    """A run handled late is followed by the time that would have followed anyway."""
    due = next_run(fraction=fraction, interval_s=interval, after=after)
    punctual = next_run(fraction=fraction, interval_s=interval, after=due)
    late = due + delay * (punctual - due) * 0.99

    assert next_run(fraction=fraction, interval_s=interval, after=late) == punctual


@given(fraction=fractions, interval=intervals, now=times, together=st.integers(1, 100_000))
def test_first_run_is_soon(fraction: float, interval: float, now: float, together: int) -> None:
    """A new check waits neither for a long interval nor beyond the spread, and where few are new hardly at all."""
    first = first_run(fraction=fraction, interval_s=interval, now=now, together=together)

    assert now <= first <= now + min(interval, FIRST_SPREAD_S, together * FIRST_PACE_S)


@given(fraction=fractions, interval=intervals, run=st.integers(-(10**6), 10**6))
def test_run_after_a_time_of_the_grid_is_the_next_of_the_grid(fraction: float, interval: float, run: int) -> None:
    """The short way from one run to the next agrees with the grid, however long it has been going on."""
    due, following = (fraction + run) * interval, (fraction + run + 1) * interval

    assert run_after(fraction, interval, due) == following


@given(fraction=fractions, interval=intervals, last=times, since=st.floats(0, 100))
def test_change_of_grid_keeps_half_an_interval_between_runs(
    fraction: float, interval: float, last: float, since: float
) -> None:
    """After the first probe or a change of the interval, the next run is on the grid and not right behind."""
    now = last + since
    due = run_after_change(fraction=fraction, interval_s=interval, last=last, now=now)

    assert due > now
    assert due >= last + interval / 2
    assert due <= max(now, last + interval / 2) + interval * (1 + 1e-9) + 1e-6


def test_phases_spread_evenly() -> None:
    """Of ten thousand checks, every hundredth of the interval gets its share."""
    buckets = [0] * 100
    for number in range(10_000):
        buckets[int(fraction_of(CheckId(f"check {number}")) * 100)] += 1

    assert min(buckets) > 50
    assert max(buckets) < 160


def test_phase_is_the_same_in_every_process() -> None:
    """A restart keeps the phases: they come from the id alone."""
    assert round(fraction_of(CheckId("a")), 6) == 0.26259


def test_interval_follows_what_the_check_says() -> None:
    """The fast interval holds in doubt, and never makes a check slower."""
    spec = replace(check_spec(interval_s=5, down_interval_s=30), fast_interval_s=10)

    assert [interval_of(spec, down=down, doubted=doubted) for down, doubted in product((False, True), repeat=2)] == [
        5,
        5,
        30,
        10,
    ]
    assert interval_of(check_spec(interval_s=5, down_interval_s=30), down=True, doubted=True) == 30
