from __future__ import annotations

import pytest

from lvs_agent.core.condition import Standing, moved_by, standing_of, turns
from lvs_agent.core.pool import Membership
from lvs_agent.model.event import EventKind
from lvs_agent.model.ipvs import AddDestination, DeleteDestination, UpdateDestination
from tests.builders import destination, pool, real_server, service_entry, virtual_service

SORRY = destination(address="10.0.0.99")
WEB = virtual_service(
    real_servers=[real_server(address=f"10.0.0.{number}") for number in (1, 2, 3)], sorry_server=SORRY, quorum=2
)
NAMES = [server.name for server in WEB.real_servers]
UP, DOWN, HELD, OUT = Membership.POOLED, Membership.REMOVED, Membership.HELD, Membership.MAINTENANCE


def told(
    *members: Membership, before: Standing | None = None, sorry_in: bool = False, moved: bool = False
) -> tuple[list[EventKind], Standing]:
    """What is told of a round after which the real servers are ``members``, and how the service stands then."""
    decided = pool(service=WEB, memberships=dict(zip(NAMES, members, strict=True)))
    rows = [SORRY] if sorry_in else [WEB.real_servers[0].destination]
    start, end = standing_of(
        WEB,
        decided,
        left=service_entry(service=WEB.service, destinations=rows),
        moved=moved_by([AddDestination(WEB.service.key, SORRY)] if moved else []),
        before=before or Standing(),
    )
    return list(turns(start, end)), end


@pytest.mark.parametrize(
    ("members", "quorum", "kinds"),
    [
        ((UP, UP, DOWN), True, []),
        ((UP, DOWN, DOWN), True, [EventKind.QUORUM_LOST]),
        ((UP, DOWN, OUT), True, [EventKind.QUORUM_LOST]),
        ((UP, DOWN, HELD), True, []),
        ((UP, DOWN, DOWN), False, []),
        ((UP, HELD, DOWN), False, []),
        ((UP, UP, DOWN), False, [EventKind.QUORUM_REGAINED]),
        ((UP, UP, DOWN), None, []),
        ((UP, DOWN, DOWN), None, [EventKind.QUORUM_LOST]),
        ((HELD, HELD, HELD), None, []),
    ],
)
def test_quorum_turns_where_it_is_certain(
    members: tuple[Membership, ...],
    quorum: bool | None,  # noqa: FBT001 - a table
    kinds: list[EventKind],
) -> None:
    """It is lost when no server that is not settled yet could make it up, and a start that finds it is no news."""
    assert told(*members, before=Standing(quorum=quorum, sorry=False))[0] == kinds


def test_sorry_server_serves_when_it_stands_in_the_table() -> None:
    """The decision alone is not enough: the kernel may refuse."""
    before = Standing(quorum=False, sorry=False)
    refused, standing = told(DOWN, DOWN, DOWN, before=before)
    begun, serving = told(DOWN, DOWN, DOWN, before=standing, sorry_in=True)
    ended, _ = told(UP, DOWN, DOWN, before=serving)

    assert (refused, begun, ended) == ([], [EventKind.SORRY_SERVER_BEGUN], [EventKind.SORRY_SERVER_ENDED])


@pytest.mark.parametrize("moved", [True, False])
def test_first_round_tells_of_the_sorry_server_what_it_has_done_itself(moved: bool) -> None:  # noqa: FBT001 - a table
    """A restart that finds it serving is no news; one that puts it in is."""
    kinds, _ = told(DOWN, DOWN, DOWN, before=Standing(quorum=False), sorry_in=True, moved=moved)

    assert kinds == ([EventKind.SORRY_SERVER_BEGUN] if moved else [])


def test_moves_are_additions_and_deletions() -> None:
    """A row that was only changed has not moved."""
    key, other = WEB.service.key, WEB.real_servers[0].destination
    moves = moved_by([AddDestination(key, SORRY), UpdateDestination(key, other), DeleteDestination(key, other.key)])

    assert moves == {(key, SORRY.key), (key, other.key)}
