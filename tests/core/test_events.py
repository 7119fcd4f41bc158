from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.events import choose, thin_out
from lvs_agent.model.event import Event, EventKind, EventQuery

EVENTS = tuple(
    Event(
        number=number,
        at=float(10 * number),
        kind=EventKind.SERVER_UP if number % 2 else EventKind.SERVER_DOWN,
        virtual_service="web" if number < 6 else "dns",
        real_server=f"10.0.0.{number % 3}:80",
    )
    for number in range(1, 10)
)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        pytest.param(EventQuery(), [1, 2, 3, 4, 5, 6, 7, 8, 9], id="everything"),
        pytest.param(EventQuery(since=30.0, until=50.0), [3, 4, 5], id="a time, its ends included"),
        pytest.param(EventQuery(kinds=frozenset({EventKind.SERVER_DOWN})), [2, 4, 6, 8], id="a kind"),
        pytest.param(EventQuery(kinds=frozenset()), [], id="no kind"),
        pytest.param(EventQuery(virtual_service="dns", real_server="10.0.0.0:80"), [6, 9], id="a real server"),
        pytest.param(EventQuery(real_server="10.0.0.1"), [1, 4, 7], id="an address without its port"),
        pytest.param(EventQuery(limit=2), [8, 9], id="the newest"),
        pytest.param(EventQuery(after=3, limit=2), [4, 5], id="the next ones"),
        pytest.param(EventQuery(after=9), [], id="nothing new"),
    ],
)
def test_question_is_answered_oldest_first(query: EventQuery, numbers: list[int]) -> None:
    """Everything that a question names narrows the answer; without ``after`` the newest count, with it the next."""
    assert [event.number for event in choose(EVENTS, query)] == numbers


@given(st.integers(1, 12), st.integers(1, 5))
def test_who_asks_on_gets_each_event_once(limit: int, start: int) -> None:
    """Asking again with the last number, until nothing comes, gives every event after the first, none twice."""
    seen: list[int] = []
    after = start
    while found := choose(EVENTS, EventQuery(after=after, limit=limit)):
        seen += [event.number for event in found]
        after = seen[-1]

    assert seen == list(range(start + 1, 10))


@given(st.lists(st.sampled_from(list(EventKind)[:4]), max_size=60), st.integers(1, 40))
def test_frequent_kinds_give_way_to_rare_ones(kinds: list[EventKind], most: int) -> None:
    """As many as there is room for are kept, of each kind the newest, and no kind at the cost of a rarer one."""
    events = [Event(number=number, at=0.0, kind=kind) for number, kind in enumerate(kinds, 1)]
    kept = thin_out(events, most=most)
    sizes = {kind: (len(kept[kind]), kinds.count(kind)) for kind in set(kinds)}

    assert sum(size for size, _ in sizes.values()) == min(most, len(kinds))
    for kind, (size, all_of_it) in sizes.items():
        assert list(kept[kind]) == [event for event in events if event.kind is kind][all_of_it - size :]
        if size < all_of_it:
            assert all(other <= size + 1 for other, _ in sizes.values())
