"""A world with everything in it that a status can show."""

from __future__ import annotations

from lvs_agent.core.health import Health
from lvs_agent.core.pool import Membership
from lvs_agent.core.reconcile import Drift, DriftKind
from lvs_agent.core.snapshot import CHECK_BOUNDS, Histogram, ReconcileStatus, ServerStatus, Snapshot
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.check import CheckId, Errored, ErrorReason, Failed, FailureReason
from lvs_agent.model.ipvs import AddDestination, AddService, Table, UpdateDestination
from lvs_agent.model.statistics import Counters, DestinationStatistics
from tests.builders import (
    NOW,
    check_spec,
    check_status,
    config_status,
    destination,
    destination_key,
    fwmark_key,
    persistence,
    pool,
    real_server,
    report,
    service,
    service_entry,
    service_key,
    snapshot,
    table,
    virtual_service,
)

SHOP = virtual_service(
    name="shop",
    service=service(persistence=persistence()),
    real_servers=[
        real_server(name="well", checks=["a"]),
        real_server(name="broken", address="10.0.0.2", weight=3, checks=["b"]),
        real_server(name="unknown", address="10.0.0.3", checks=["c"]),
    ],
    sorry_server=destination(address="10.0.0.99"),
    quorum=2,
    comment="On call: <web> team",
)
EMPTY = virtual_service(
    name="empty",
    service=service(key=service_key(port=81)),
    real_servers=[real_server(address="10.0.1.1", port=81, checks=["d"])],
    sorry_server=destination(address="10.0.1.99", port=81),
)
FOREIGN = service_entry(
    service=service(key=fwmark_key(), scheduler="mh"),
    destinations=[destination(address="172.16.0.9", port=0, weight=7)],
)


def world_table() -> Table:
    """The kernel's side: one server of ours, one unknown, one that nobody configured, and a foreign service."""
    rows = [SHOP.real_servers[0].destination, SHOP.real_servers[2].destination, destination(address="10.0.0.77")]
    return table(
        service_entry(service=SHOP.service, destinations=rows),
        service_entry(service=EMPTY.service, destinations=[destination(address="10.0.1.99", port=81)]),
        FOREIGN,
    )


def world_backend() -> MemoryIpvs:
    """A table in memory that holds ``world_table`` and has counted something."""
    backend = MemoryIpvs()
    for entry in world_table().entries.values():
        backend.apply(AddService(entry.service))
        for row in entry.destinations.values():
            backend.apply(AddDestination(entry.service.key, row))
    backend.record(
        service=SHOP.service.key,
        destination=destination_key(),
        statistics=DestinationStatistics(
            counters=Counters(connections=1234), active_connections=152, inactive_connections=2310
        ),
    )
    return backend


def world_snapshot() -> Snapshot:
    """The agent's side: a server up, one down, one that our own fault keeps unknown, and work left to do."""
    shop, empty = SHOP.service.key, EMPTY.service.key
    one, two, three = (server.key for server in SHOP.real_servers)
    return snapshot(
        services=[SHOP, EMPTY],
        specs=[
            check_spec(name="a"),
            check_spec(name="b", address="10.0.0.2", settings={"password": "hunter2"}),
            check_spec(name="c", kind="tcp", address="10.0.0.3"),
            check_spec(name="d", kind="ping", address="10.0.1.1", port=None),
        ],
        checks={
            CheckId("b"): check_status(
                health=Health.DOWN,
                last=report(result=Failed(FailureReason.STATUS, "status 503 <b>&</b>"), duration_s=0.0123),
                failures={FailureReason.STATUS: 2},
                durations=Histogram.empty(CHECK_BOUNDS).with_values([0.01] * 5),
            ),
            CheckId("c"): check_status(
                health=Health.UNKNOWN,
                last=report(result=Errored(ErrorReason.NO_DESCRIPTORS)),
                errors={ErrorReason.NO_DESCRIPTORS: 1},
            ),
            CheckId("d"): check_status(health=Health.UNKNOWN),
        },
        servers={
            (shop, one): ServerStatus(Health.UP, NOW - 60),
            (shop, two): ServerStatus(Health.DOWN, NOW - 30.5, 0, 1),
            (shop, three): ServerStatus(),
            (empty, EMPTY.real_servers[0].key): ServerStatus(Health.DOWN, NOW - 10, 0, 1),
        },
        reconcile=ReconcileStatus(
            rounds=12,
            errors=1,
            last_error="add service tcp/192.0.2.1:80: EPERM",
            last_success_at=NOW - 5,
            last_table=world_table(),
            pools={
                shop: pool(service=SHOP, memberships={"broken": Membership.REMOVED, "unknown": Membership.HELD}),
                empty: pool(service=EMPTY, memberships={"10.0.1.1:81": Membership.REMOVED}),
            },
            pending=(UpdateDestination(shop, SHOP.real_servers[0].destination, ("weight",)),),
            drift=(Drift(DriftKind.UNEXPECTED, shop, destination_key(address="10.0.0.77")),),
            drift_repairs=3,
            converged_once=True,
        ),
        config=config_status(
            problems=("service.shop: no real server",), warnings=("old key",), last_reload_successful=False
        ),
    )
