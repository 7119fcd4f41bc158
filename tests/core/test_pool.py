from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.desired import desired_table
from lvs_agent.core.health import Health
from lvs_agent.core.pool import Membership, Past, Pool, form_pool, has_no_serving_server
from lvs_agent.model.intent import Initial, OnDown, RealServer, VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey
from tests.builders import destination, real_server, virtual_service

SORRY = destination(address="10.0.0.99")
UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN


def formed(
    service: VirtualService,
    *,
    healths: Iterable[Health],
    observed: Iterable[Destination] = (),
    **past: Iterable[DestinationKey],
) -> Pool:
    """The pool of ``service`` whose real servers have ``healths`` in their order."""
    known = dict(zip([server.key for server in service.real_servers], healths, strict=False))
    return form_pool(service, healths=known, observed={row.key: row for row in observed}, past=_past(**past))


def _past(**past: Iterable[DestinationKey]) -> Past:
    return Past(**{word: frozenset(servers) for word, servers in past.items()})


@pytest.mark.parametrize(
    ("health", "on_down", "initial", "observed", "seen", "membership", "weight"),
    [
        pytest.param(UP, "remove", "down", None, True, Membership.POOLED, 5, id="up, absent"),
        pytest.param(UP, "remove", "down", 0, True, Membership.POOLED, 5, id="up, quiesced"),
        pytest.param(DOWN, "remove", "down", 5, True, Membership.REMOVED, None, id="down, removed"),
        pytest.param(DOWN, "quiesce", "down", 5, True, Membership.QUIESCED, 0, id="down, quiesced"),
        pytest.param(DOWN, "quiesce", "down", None, True, Membership.QUIESCED, 0, id="down, put in at weight 0"),
        pytest.param(UNKNOWN, "remove", "down", 3, False, Membership.HELD, 5, id="unknown, in service"),
        pytest.param(UNKNOWN, "remove", "up", 0, False, Membership.HELD, 0, id="unknown, quiesced"),
        pytest.param(UNKNOWN, "remove", "down", None, False, Membership.WAITING, None, id="unknown, new"),
        pytest.param(UNKNOWN, "remove", "up", None, False, Membership.ADMITTED, 5, id="unknown, new, trusted"),
        pytest.param(UNKNOWN, "remove", "up", None, True, Membership.WAITING, None, id="unknown, taken out before"),
    ],
)
def test_each_situation_has_one_membership(
    health: Health,
    on_down: str,
    initial: str,
    observed: int | None,
    seen: bool,  # noqa: FBT001 - a column of the table
    membership: Membership,
    weight: int | None,
) -> None:
    """What is known, what the kernel has and what the operator chose decide membership and weight."""
    server = real_server(weight=5, on_down=OnDown(on_down), initial=Initial(initial))
    service = virtual_service(real_servers=[server])
    rows = [] if observed is None else [destination(weight=observed)]

    placement = formed(service, healths=[health], observed=rows, seen=[server.key] if seen else []).placements[
        server.key
    ]

    assert placement.membership is membership
    assert (placement.destination and placement.destination.weight) == weight


@pytest.mark.parametrize(
    ("weight", "share", "wanted", "membership"),
    [
        pytest.param(10, 100, 10, Membership.POOLED, id="all of it"),
        pytest.param(10, 20, 2, Membership.POOLED, id="a part"),
        pytest.param(1, 20, 1, Membership.POOLED, id="never less than one"),
        pytest.param(10, 250, 25, Membership.POOLED, id="more"),
        pytest.param(65_000, 200, 65_535, Membership.POOLED, id="what the kernel takes at most"),
        pytest.param(10, 0, 0, Membership.DRAINED, id="none"),
        pytest.param(0, 50, 0, Membership.POOLED, id="a part of nothing"),
    ],
)
def test_checks_may_leave_a_server_a_share_of_its_weight(
    weight: int, share: int, wanted: int, membership: Membership
) -> None:
    """Only a server that asks for nothing at all gets nothing."""
    server = real_server(weight=weight)
    service = virtual_service(real_servers=[server])

    pool = form_pool(service, healths={server.key: UP}, observed={}, past=Past(), shares={server.key: share})

    row = pool.placements[server.key].destination
    assert (row and row.weight, pool.placements[server.key].membership) == (wanted, membership)


@pytest.mark.parametrize("health", [UP, DOWN, UNKNOWN])
@pytest.mark.parametrize(("on_down", "weight"), [("remove", None), ("quiesce", 0)])
def test_server_in_maintenance_is_out_whatever_its_checks_say(health: Health, on_down: str, weight: int | None) -> None:
    """The operator's word comes before every verdict, and the server goes as it would if it were down."""
    server = real_server(weight=5, on_down=OnDown(on_down), initial=Initial.UP)
    service = virtual_service(real_servers=[server])

    placement = formed(service, healths=[health], observed=[destination(weight=5)], maintained=[server.key]).placements[
        server.key
    ]

    assert placement.membership is Membership.MAINTENANCE
    assert (placement.destination and placement.destination.weight) == weight


@pytest.mark.parametrize(
    ("readd", "withdrawn", "health", "observed", "membership"),
    [
        pytest.param(False, True, DOWN, None, Membership.WITHDRAWN, id="deleted by somebody"),
        pytest.param(True, True, DOWN, None, Membership.QUIESCED, id="deleted, but to be added again"),
        pytest.param(False, False, DOWN, None, Membership.QUIESCED, id="never there"),
        pytest.param(False, True, DOWN, 0, Membership.QUIESCED, id="there again"),
        pytest.param(False, True, UP, None, Membership.POOLED, id="up again"),
        pytest.param(False, True, UNKNOWN, None, Membership.WAITING, id="not known after a restart"),
    ],
)
def test_deleted_row_at_weight_0_stays_away_only_where_wanted(
    readd: bool,  # noqa: FBT001 - a column of the table
    withdrawn: bool,  # noqa: FBT001 - the same
    health: Health,
    observed: int | None,
    membership: Membership,
) -> None:
    """Whoever deletes a quiesced server by hand to break persistence is left in peace, until it is up."""
    server = real_server(weight=5, on_down=OnDown.QUIESCE, readd_quiesced=readd)
    rows = [] if observed is None else [destination(weight=observed)]

    pool = formed(
        virtual_service(real_servers=[server]),
        healths=[health],
        observed=rows,
        seen=[server.key],
        withdrawn=[server.key] if withdrawn else [],
    )

    assert pool.placements[server.key].membership is membership


@pytest.mark.parametrize(
    ("healths", "checks", "observed", "distress"),
    [
        pytest.param([DOWN, DOWN], ["check"], [], True, id="all down"),
        pytest.param([DOWN, UP], ["check"], [], False, id="one up"),
        pytest.param([DOWN, UNKNOWN], ["check"], [], None, id="one has not been checked yet"),
        pytest.param([DOWN, UNKNOWN], [], [], True, id="nobody will ever check"),
        pytest.param([DOWN, UNKNOWN], ["check"], ["10.0.0.2"], False, id="one is still in service"),
    ],
)
def test_distress_is_declared_only_when_every_check_has_spoken(
    healths: list[Health],
    checks: list[str],
    observed: list[str],
    distress: bool | None,  # noqa: FBT001 - a column of the table
) -> None:
    """A start must not call for help that nobody needs."""
    servers = [real_server(address=address, checks=checks) for address in ("10.0.0.1", "10.0.0.2")]
    service = virtual_service(real_servers=servers)
    rows = [destination(address=address) for address in observed]

    assert has_no_serving_server(service, formed(service, healths=healths, observed=rows)) is distress


@pytest.mark.parametrize(
    ("healths", "active"),
    [
        pytest.param([UP, UP], False, id="all up"),
        pytest.param([DOWN, UP], False, id="one up"),
        pytest.param([DOWN, DOWN], True, id="none up"),
        pytest.param([UNKNOWN, DOWN], True, id="the last one waits for its first verdict"),
    ],
)
def test_sorry_server_serves_while_no_real_server_does(healths: list[Health], active: bool) -> None:  # noqa: FBT001
    """The sorry server is in the table exactly while nobody else has a weight above 0."""
    service = virtual_service(real_servers=[real_server(), real_server(address="10.0.0.2")], sorry_server=SORRY)

    pool = formed(service, healths=healths)

    assert pool.sorry_active is active
    assert (SORRY.key in desired_table([(service, pool)]).entries[service.service.key].destinations) is active


def test_quiesced_servers_do_not_keep_the_sorry_server_out() -> None:
    """Rows at weight 0 serve nobody new, so the sorry server stands beside them."""
    service = virtual_service(real_servers=[real_server(on_down=OnDown.QUIESCE)], sorry_server=SORRY)

    rows = desired_table([(service, formed(service, healths=[DOWN]))]).entries[service.service.key].destinations

    assert {key: row.weight for key, row in rows.items()} == {service.real_servers[0].key: 0, SORRY.key: 1}


def test_real_server_that_is_the_sorry_server_too_serves_when_all_are_down() -> None:
    """A sorry server with a real server's address takes that row over, and gives it back."""
    service = virtual_service(
        real_servers=[real_server(weight=7), real_server(address="10.0.0.2")], sorry_server=destination()
    )
    key = service.service.key

    alone = desired_table([(service, formed(service, healths=[DOWN, DOWN]))]).entries[key].destinations
    other_up = desired_table([(service, formed(service, healths=[DOWN, UP]))]).entries[key].destinations
    itself_up = desired_table([(service, formed(service, healths=[UP, DOWN]))]).entries[key].destinations

    assert alone == {destination().key: destination()}
    assert list(other_up) == [service.real_servers[1].key]
    assert itself_up == {destination().key: destination(weight=7)}


servers = st.builds(
    lambda weight, on_down, initial: (weight, on_down, initial),
    st.integers(0, 3),
    st.sampled_from(OnDown),
    st.sampled_from(Initial),
)


@given(st.lists(st.tuples(servers, st.sampled_from(Health), st.none() | st.integers(0, 3), st.booleans()), max_size=5))
def test_deciding_again_changes_nothing(
    rows: list[tuple[tuple[int, OnDown, Initial], Health, int | None, bool]],
) -> None:
    """Once the table is as the pool wants it and everything has been seen, the same facts give the same table."""
    real: list[RealServer] = [
        real_server(address=f"10.0.0.{n}", weight=weight, on_down=on_down, initial=initial)
        for n, ((weight, on_down, initial), *_) in enumerate(rows, start=1)
    ]
    service = virtual_service(real_servers=real, sorry_server=SORRY)
    healths = [health for _, health, *_ in rows]
    observed = [
        destination(address=f"10.0.0.{n}", weight=weight)
        for n, (*_, weight, _) in enumerate(rows, start=1)
        if weight is not None
    ]
    seen = [server.key for server, row in zip(real, rows, strict=True) if row[3]]

    first = desired_table([(service, formed(service, healths=healths, observed=observed, seen=seen))])
    settled = first.entries[service.service.key].destinations.values()
    again = formed(service, healths=healths, observed=settled, seen=[server.key for server in real])

    assert desired_table([(service, again)]) == first
