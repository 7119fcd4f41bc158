from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.decide import History, decide
from lvs_agent.core.health import Health
from lvs_agent.core.pool import Membership
from lvs_agent.core.reconcile import plan
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.model.ipvs import AddDestination, AddService, Table
from tests.builders import destination, intent, real_server, service, service_entry, service_key, table, virtual_service

WEB = virtual_service(
    name="web",
    real_servers=[real_server(), real_server(address="10.0.0.2")],
    sorry_server=destination(address="10.0.0.99"),
)
API = virtual_service(name="api", service=service(key=service_key(port=81)), real_servers=[real_server()])
WANTED = intent(services=[WEB, API])
WEB_KEY, API_KEY = WEB.service.key, API.service.key
SERVERS: list[ServerKey] = [(one.service.key, server.key) for one in (WEB, API) for server in one.real_servers]


def test_each_service_gets_a_pool_and_a_row() -> None:
    """Who is up serves, in every service on its own account."""
    healths = dict.fromkeys(SERVERS, Health.UP) | {SERVERS[0]: Health.DOWN}
    decision = decide(WANTED, healths=healths, history=History(), observed=Table())

    assert [str(key) for key in decision.desired.entries[WEB_KEY].destinations] == ["10.0.0.2:80"]
    assert [str(key) for key in decision.desired.entries[API_KEY].destinations] == ["10.0.0.1:80"]
    assert decision.pools[WEB_KEY].placements[SERVERS[0][1]].membership is Membership.REMOVED


def test_server_nobody_knows_is_held_as_its_own_service_has_it() -> None:
    """The same address in another service's rows says nothing."""
    present = table(service_entry(service=API.service, destinations=[destination()]))
    decision = decide(WANTED, healths={}, history=History(seen=frozenset(SERVERS)), observed=present)

    assert decision.pools[API_KEY].placements[SERVERS[2][1]].membership is Membership.HELD
    assert decision.pools[WEB_KEY].placements[SERVERS[0][1]].membership is Membership.WAITING


def test_scope_leaves_the_other_services_alone() -> None:
    """A round for one service decides on one service."""
    decision = decide(WANTED, healths={}, history=History(), observed=Table(), scope={API_KEY})

    assert set(decision.pools) == set(decision.desired.entries) == {API_KEY}


def test_sorry_server_serves_where_nobody_else_does() -> None:
    """Nobody is known to be up, and the kernel has nobody."""
    decision = decide(WANTED, healths={}, history=History(), observed=Table())
    operations = plan(desired=decision.desired, observed=Table(), owned={WEB_KEY, API_KEY})

    assert decision.pools[WEB_KEY].sorry_active
    assert operations == (
        AddService(WEB.service),
        AddService(API.service),
        AddDestination(WEB_KEY, destination(address="10.0.0.99")),
    )


HEALTHS = st.fixed_dictionaries({key: st.sampled_from(Health) for key in SERVERS})


@given(HEALTHS)
def test_decision_on_its_own_result_is_the_same(healths: dict[ServerKey, Health]) -> None:
    """Once the table is as decided, the next round has nothing to do."""
    first = decide(WANTED, healths=healths, history=History(seen=frozenset(SERVERS)), observed=Table())
    second = decide(WANTED, healths=healths, history=History(seen=frozenset(SERVERS)), observed=first.desired)

    assert plan(desired=second.desired, observed=first.desired, owned={WEB_KEY, API_KEY}) == ()


@given(HEALTHS)
def test_service_with_a_sorry_server_is_never_empty(healths: dict[ServerKey, Health]) -> None:
    """Somebody serves, whatever is known of whom; and the sorry server only where nobody else does."""
    rows = decide(WANTED, healths=healths, history=History(), observed=Table()).desired.entries[WEB_KEY].destinations
    names = {str(key) for key, row in rows.items() if row.weight > 0}

    assert names == {"10.0.0.99:80"} or (names and "10.0.0.99:80" not in names)
