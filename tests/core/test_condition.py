from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.condition import (
    ServiceCondition,
    ServiceState,
    conditions_after,
    events_between,
    moved_by,
)
from lvs_agent.core.health import Health
from lvs_agent.core.pool import Membership
from lvs_agent.model.event import EventKind
from lvs_agent.model.ipvs import AddDestination, DeleteDestination, UpdateDestination
from tests.builders import destination, intent, pool, real_server, service_entry, table, virtual_service

SORRY = destination(address="10.0.0.99")
WEB = virtual_service(
    real_servers=[real_server(address=f"10.0.0.{number}") for number in (1, 2, 3)], sorry_server=SORRY, quorum=2
)
KEY, INTENT = WEB.service.key, intent(services=[WEB])
UP, DOWN, UNKNOWN, OUT = Health.UP, Health.DOWN, Health.UNKNOWN, None
"""OUT: in maintenance, and up as far as its checks go."""
Members = tuple[Health | None, ...]


def condition_of(
    *members: Health | None,
    before: ServiceCondition | None = None,
    sorry_in: bool = False,
    table_read: bool = True,
) -> ServiceCondition:
    """The condition after a round in which the real servers were ``members``."""
    serves = UP in members
    decided = pool(
        service=WEB,
        memberships=dict.fromkeys(
            (server.name for server in WEB.real_servers), Membership.POOLED if serves else Membership.REMOVED
        ),
    )
    rows = [SORRY] if sorry_in else [WEB.real_servers[0].destination]
    pairs = [(KEY, server.key) for server in WEB.real_servers]
    return conditions_after(
        {} if before is None else {KEY: before},
        INTENT,
        scope=None,
        healths=dict(zip(pairs, (member or UP for member in members), strict=True)),
        maintained={pair for pair, member in zip(pairs, members, strict=True) if member is OUT},
        pools={KEY: decided} if table_read else {},
        table=table(service_entry(service=WEB.service, destinations=rows)) if table_read else None,
    )[KEY]


def events(before: ServiceCondition, after: ServiceCondition, *, moved: bool = False) -> list[EventKind]:
    """What happened between two conditions of the service."""
    moves = moved_by([AddDestination(KEY, SORRY)] if moved else [])
    return list(events_between(before, after, WEB, moved=moves))


@pytest.mark.parametrize(
    ("members", "up", "state"),
    [
        ((UP, UP, DOWN), 2, ServiceState.UP),
        ((UP, UP, UNKNOWN), 2, ServiceState.UP),
        ((UP, DOWN, DOWN), 1, ServiceState.BELOW_QUORUM),
        ((UP, DOWN, OUT), 1, ServiceState.BELOW_QUORUM),
        ((UNKNOWN, DOWN, DOWN), 0, ServiceState.BELOW_QUORUM),
        ((UP, DOWN, UNKNOWN), 1, ServiceState.UNKNOWN),
        ((UNKNOWN, UNKNOWN, UNKNOWN), 0, ServiceState.UNKNOWN),
        ((DOWN, DOWN, OUT), 0, ServiceState.DOWN),
    ],
)
def test_state_follows_from_how_many_are_up(members: Members, up: int, state: ServiceState) -> None:
    """Reached, certainly not reached, nobody up at all, or not known while undecided servers could make it up."""
    condition = condition_of(*members)

    assert (condition.up, condition.state) == (up, state)


@pytest.mark.parametrize(
    ("members", "lost", "kinds"),
    [
        ((UP, UP, DOWN), False, []),
        ((UP, DOWN, DOWN), False, [EventKind.QUORUM_LOST]),
        ((UP, DOWN, OUT), False, [EventKind.QUORUM_LOST]),
        ((UP, DOWN, UNKNOWN), False, []),
        ((UP, DOWN, DOWN), True, []),
        ((UP, UNKNOWN, DOWN), True, []),
        ((UP, UP, DOWN), True, [EventKind.QUORUM_REGAINED]),
        ((UNKNOWN, UNKNOWN, UNKNOWN), False, []),
    ],
)
def test_quorum_events_come_where_it_is_certain(
    members: Members,
    lost: bool,  # noqa: FBT001 - a table
    kinds: list[EventKind],
) -> None:
    """It is lost when no server that is not decided yet could make it up, and a start that finds it is not an event."""
    before = ServiceCondition(quorum_lost=lost, sorry_active=False)

    assert events(before, condition_of(*members, before=before)) == kinds


@given(rounds=st.lists(st.tuples(*[st.sampled_from([UP, DOWN, UNKNOWN, OUT])] * 3), max_size=12))
def test_last_quorum_event_says_what_the_state_says(rounds: list[Members]) -> None:
    """After any rounds, the last event of a service that is up is not a loss, and that of one below its quorum is."""
    condition, last = ServiceCondition(), None
    for members in rounds:
        after = condition_of(*members, before=condition)
        for kind in events(condition, after):
            if kind in {EventKind.QUORUM_LOST, EventKind.QUORUM_REGAINED}:
                assert kind is not last
                last = kind
        condition = after

        assert (last is EventKind.QUORUM_LOST) is condition.quorum_lost
        if condition.state is not ServiceState.UNKNOWN:
            assert condition.quorum_lost is (condition.state is not ServiceState.UP)


def test_sorry_server_is_active_when_it_is_in_the_table() -> None:
    """The decision alone is not enough: the kernel may refuse."""
    before = ServiceCondition(quorum_lost=True, sorry_active=False)
    refused = condition_of(DOWN, DOWN, DOWN, before=before)
    active = condition_of(DOWN, DOWN, DOWN, before=refused, sorry_in=True)
    ended = condition_of(UP, DOWN, DOWN, before=active)

    assert (refused.sorry_active, active.sorry_active, ended.sorry_active) == (False, True, False)
    assert events(before, refused) == []
    assert events(refused, active) == [EventKind.SORRY_SERVER_ACTIVATED]
    assert events(active, ended) == [EventKind.SORRY_SERVER_DEACTIVATED]


def test_round_without_a_table_knows_the_quorum_and_nothing_new_of_the_sorry_server() -> None:
    """What the checks say does not depend on the kernel; which rows it has does."""
    before = condition_of(DOWN, DOWN, DOWN, sorry_in=True)
    after = condition_of(UP, UP, DOWN, before=before, table_read=False)

    assert (after.state, after.sorry_active) == (ServiceState.UP, True)
    assert events(before, after) == [EventKind.QUORUM_REGAINED]


@pytest.mark.parametrize("moved", [True, False])
def test_first_round_tells_of_the_sorry_server_what_it_has_done_itself(moved: bool) -> None:  # noqa: FBT001 - a table
    """A restart that finds it active is not an event; a round that adds it is."""
    before = ServiceCondition(quorum_lost=True)
    after = condition_of(DOWN, DOWN, DOWN, before=before, sorry_in=True)

    assert events(before, after, moved=moved) == ([EventKind.SORRY_SERVER_ACTIVATED] if moved else [])


def test_services_out_of_scope_keep_their_condition() -> None:
    """A round for other services says nothing about this one."""
    before = condition_of(UP, UP, UP)
    after = conditions_after(
        {KEY: before}, INTENT, scope=frozenset(), healths={}, maintained=set(), pools={}, table=table()
    )

    assert after == {KEY: before}


def test_moves_are_additions_and_deletions() -> None:
    """A row that was only changed has not moved."""
    other = WEB.real_servers[0].destination
    moves = moved_by([AddDestination(KEY, SORRY), UpdateDestination(KEY, other), DeleteDestination(KEY, other.key)])

    assert moves == {(KEY, SORRY.key), (KEY, other.key)}
