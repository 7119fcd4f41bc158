from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.checks.engine.wheel import SLOT_S, SlotWheel


@given(st.lists(st.floats(0, 100)), st.floats(0, 110))
def test_nothing_is_taken_early_or_a_slot_late(times: list[float], until: float) -> None:
    """What is taken was due, and what stays is not due for longer than a slot."""
    wheel: SlotWheel[float] = SlotWheel()
    for at in times:
        wheel.add(at, at=at)
    due = wheel.waiting(until=until)
    taken = wheel.take(until=until)

    assert due == len(taken)
    assert all(at <= until for at in taken)
    assert all(at > until - SLOT_S for at in set(times) - set(taken))
    assert sorted(taken, key=lambda at: -(-at // SLOT_S)) == taken


def test_next_slot_is_known() -> None:
    """The wheel says when to come back, or that there is no need to."""
    wheel: SlotWheel[str] = SlotWheel()
    assert wheel.next_at() is None

    wheel.add("late", at=2.0)
    wheel.add("soon", at=1.0)

    assert wheel.next_at() == 1.0
    assert wheel.take(until=1.5) == ["soon"]
    assert wheel.next_at() == 2.0
