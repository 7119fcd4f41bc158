"""Page, API, metrics and ``why`` say the same of a service, whatever the agent knows."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from lvs_agent.core.condition import ServiceCondition, ServiceState
from lvs_agent.core.health import Health
from lvs_agent.core.pool import Membership
from lvs_agent.core.snapshot import ReconcileStatus, ServerStatus, Snapshot
from lvs_agent.metrics.exposition import Exposition
from lvs_agent.metrics.reading import Reading
from lvs_agent.model.intent import VirtualService
from lvs_agent.view.inventory import inventory_of
from lvs_agent.web.page import render_page
from lvs_agent.web.page_view import view_page
from lvs_agent.web.status import status_document
from lvs_agent.web.why_answer import answer
from tests.builders import (
    NOW,
    destination,
    pool,
    real_server,
    service,
    service_key,
    snapshot,
    table_of,
    virtual_service,
)

MEMBERSHIPS = {
    Health.UP: [Membership.POOLED, Membership.DRAINED, Membership.MAINTENANCE],
    Health.DOWN: [Membership.REMOVED, Membership.QUIESCED, Membership.MAINTENANCE],
    Health.UNKNOWN: [Membership.HELD, Membership.ADMITTED, Membership.WAITING, Membership.MAINTENANCE],
}


@st.composite
def services(draw: st.DrawFn) -> list[VirtualService]:
    """A few services with a few servers, some with a sorry server."""
    return [
        virtual_service(
            name=f"service-{number}",
            service=service(key=service_key(port=1_000 + number)),
            real_servers=[
                real_server(name=f"server-{server}", address=f"10.0.{number}.{server}", checks=[f"{number}-{server}"])
                for server in range(1, draw(st.integers(1, 4)) + 1)
            ],
            sorry_server=destination(address="10.9.9.9") if draw(st.booleans()) else None,
            quorum=draw(st.integers(1, 4)),
        )
        for number in range(draw(st.integers(1, 3)))
    ]


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """What an agent may know: any health and membership of each server, after a round or before the first.

    Now and then a health has changed since the round, or the configuration has got a service since.
    """
    wanted = draw(services())
    healths = {
        (one.service.key, server.key): draw(st.sampled_from(Health)) for one in wanted for server in one.real_servers
    }
    pools = {
        one.service.key: pool(
            service=one,
            memberships={
                server.name: draw(st.sampled_from(MEMBERSHIPS[healths[one.service.key, server.key]]))
                for server in one.real_servers
            },
        )
        for one in wanted
    }
    left = table_of(*(one for one in wanted if draw(st.booleans())))
    after = snapshot(
        services=wanted,
        servers={key: ServerStatus(health, NOW) for key, health in healths.items()},
        reconcile=ReconcileStatus(pools=pools, last_table=left),
    )
    if not draw(st.booleans()):
        return after
    changed = {key: ServerStatus(draw(st.sampled_from(Health)), NOW) for key in healths}
    known = {key: one for key, one in after.reconcile.conditions.items() if draw(st.booleans())}
    known = known or {service_key(port=9): ServiceCondition()}
    return snapshot(
        services=wanted,
        servers=changed,
        reconcile=ReconcileStatus(pools=pools, last_table=left, conditions=known),
    )


@given(snapshots())
def test_every_reader_takes_the_condition_that_was_decided(seen: Snapshot) -> None:
    """State, quorum, number of servers up and sorry server: the same in API, page, metrics and ``why``."""
    document = status_document(seen, None)
    views = {one.service["name"]: one for one in view_page(document).services}
    metrics = metrics_of(seen)
    page = render_page(document)
    inventory = inventory_of(seen, None)

    for one, shown in zip(seen.intent.services, document["services"], strict=True):
        condition = seen.reconcile.conditions.get(one.service.key, ServiceCondition())
        is_up = condition.state is ServiceState.UP
        sorry = shown["sorry_server"]
        explained = answer(seen, inventory, virtual_service=one.name, real_server=None)

        assert shown["state"] == views[one.name].service["state"] == explained["state"] == condition.state.value
        assert shown["up"] == condition.up
        assert explained["sentences"][0].startswith(f"{condition.up} of {len(one.real_servers)} real servers are up;")
        assert shown["quorum_reached"] is is_up
        assert metrics["lvs_virtual_service_quorum_up", one.name] == is_up
        assert metrics["lvs_virtual_service_sorry_server_active", one.name] == (condition.sorry_active is True)
        assert (sorry is not None and sorry["active"]) is (condition.sorry_active is True)
        assert sorry is None or sorry["state"] == ("active" if condition.sorry_active else "standby")
        assert any("failed over to its sorry server" in text for text in explained["sentences"]) is (
            condition.sorry_active is True
        )
    quorate = sum(one.state is ServiceState.UP for one in map(condition_in(seen), seen.intent.services))
    assert view_page(document).totals.quorate == quorate
    assert page.count('<b class="differs">sorry server active</b>') == sum(
        condition_in(seen)(one).sorry_active is True for one in seen.intent.services
    )


def condition_in(seen: Snapshot) -> Callable[[VirtualService], ServiceCondition]:
    """Gives the condition of a service."""
    return lambda one: seen.reconcile.conditions.get(one.service.key, ServiceCondition())


def metrics_of(seen: Snapshot) -> dict[tuple[str, str], float]:
    """What /metrics has, by name and service; of several series the last."""
    text = Exposition().render(Reading(snapshot=seen), accept="").body.decode()
    return {
        (sample.name, sample.labels["virtual_service"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "virtual_service" in sample.labels
    }
