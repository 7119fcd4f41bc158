from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.snapshot import CHECK_BOUNDS, DELAY_BOUNDS, ROUND_BOUNDS, CheckStatus, Histogram, ReconcileStatus
from lvs_agent.model.check import CheckId
from tests.builders import snapshot, virtual_service

SECONDS = st.floats(0, 100, allow_nan=False)
BOUNDS = st.lists(SECONDS, unique=True, max_size=8).map(sorted)


@given(bounds=BOUNDS, values=st.lists(SECONDS))
def test_every_value_is_counted_in_the_first_bucket_that_holds_it(bounds: list[float], values: list[float]) -> None:
    """A bound belongs to its bucket (Prometheus: ``le``), and what is beyond all of them to the last one."""
    histogram = Histogram.empty(bounds).with_values(values)
    edges = [-math.inf, *bounds, math.inf]

    assert list(histogram.counts) == [sum(low < value <= high for value in values) for low, high in pairwise(edges)]
    assert math.isclose(histogram.total, sum(values), abs_tol=1e-6)


@given(st.lists(SECONDS), st.lists(SECONDS))
def test_values_may_come_in_parts(one: list[float], other: list[float]) -> None:
    """Batches add up, and a histogram that somebody holds does not change."""
    empty = Histogram.empty(CHECK_BOUNDS)
    in_parts, at_once = empty.with_values(one).with_values(other), empty.with_values([*one, *other])

    assert in_parts.counts == at_once.counts
    assert math.isclose(in_parts.total, at_once.total, abs_tol=1e-6)
    assert sum(empty.counts) == 0


@pytest.mark.parametrize("bounds", [CHECK_BOUNDS, DELAY_BOUNDS, ROUND_BOUNDS], ids=["check", "delay", "round"])
def test_bounds_ascend(bounds: tuple[float, ...]) -> None:
    """Each bucket holds more than the one before."""
    assert list(bounds) == sorted(set(bounds))


@pytest.mark.parametrize(
    ("checks", "converged_once", "ready"),
    [
        pytest.param({}, True, True, id="all-checked-and-right"),
        pytest.param({CheckId("check"): CheckStatus()}, True, False, id="a-check-has-not-run"),
        pytest.param({}, False, False, id="never-right"),
    ],
)
def test_agent_is_ready_when_all_is_checked_and_the_table_was_right(
    *, checks: dict[CheckId, CheckStatus], converged_once: bool, ready: bool
) -> None:
    """Both are needed, and once is enough."""
    taken = snapshot(
        services=[virtual_service()], checks=checks, reconcile=ReconcileStatus(converged_once=converged_once)
    )

    assert taken.ready is ready
