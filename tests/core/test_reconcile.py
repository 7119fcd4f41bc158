from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.reconcile import Drift, DriftKind, find_drift, plan
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.ipvs import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    ForwardingMethod,
    Operation,
    SchedulerFlag,
    Service,
    ServiceEntry,
    ServiceKey,
    Table,
    UpdateDestination,
    UpdateService,
    service_of,
)
from tests.builders import destination, fwmark_key, persistence, service, service_entry, service_key, table

KEYS: tuple[ServiceKey, ...] = (service_key(), service_key(protocol="udp", port=53), fwmark_key())
keys = st.sampled_from(KEYS)
destinations = st.builds(
    destination,
    address=st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
    weight=st.integers(0, 2),
    forwarding=st.sampled_from([ForwardingMethod.DIRECT, ForwardingMethod.MASQUERADE, ForwardingMethod.TUNNEL]),
    upper_threshold=st.sampled_from([0, 10]),
)
entries = st.builds(
    lambda key, scheduler, kept, rows: service_entry(
        service=service(key=key, scheduler=scheduler, persistence=kept), destinations=rows
    ),
    keys,
    st.sampled_from(["rr", "wrr"]),
    st.sampled_from([None, persistence()]),
    st.lists(destinations, max_size=3),
)
tables = st.lists(entries, max_size=3).map(lambda some: table(*some))
owned_sets = st.sets(keys)


def kernel_with(rows: Table) -> MemoryIpvs:
    """An in-memory kernel that has exactly ``rows``."""
    kernel = MemoryIpvs()
    for entry in rows.entries.values():
        kernel.apply(AddService(entry.service))
        for row in entry.destinations.values():
            kernel.apply(AddDestination(entry.service.key, row))
    return kernel


def serves(entry: ServiceEntry | None) -> bool:
    """Whether somebody takes new connections."""
    return entry is not None and any(row.weight > 0 for row in entry.destinations.values())


@given(tables)
def test_right_table_needs_no_operation(rows: Table) -> None:
    """Nothing is to be done where the table is as wanted."""
    assert plan(desired=rows, observed=rows, owned=set(KEYS)) == ()


@given(tables, tables, owned_sets)
def test_plan_makes_owned_right_and_leaves_foreign_alone(
    desired: Table, observed: Table, owned: set[ServiceKey]
) -> None:
    """After the plan every owned service is as wanted, and every other one as it was."""
    kernel = kernel_with(observed)

    for operation in plan(desired=desired, observed=observed, owned=owned):
        kernel.apply(operation)

    after = kernel.read_table().entries
    assert {key: after.get(key) for key in owned} == {key: desired.entries.get(key) for key in owned}
    foreign = set(KEYS) - owned
    assert {key: after.get(key) for key in foreign} == {key: observed.entries.get(key) for key in foreign}


@given(tables, tables)
def test_every_interrupted_plan_can_be_taken_up_again_and_leaves_nobody_unserved(
    desired: Table, observed: Table
) -> None:
    """From every prefix of a plan the rest is found anew, and who serves before and after serves in between."""
    owned = set(KEYS)
    kernel = kernel_with(observed)
    served_throughout = {key for key in KEYS if serves(desired.entries.get(key)) and serves(observed.entries.get(key))}
    for operation in (*plan(desired=desired, observed=observed, owned=owned), None):
        now = kernel.read_table()
        assert all(serves(now.entries.get(key)) for key in served_throughout)
        second = kernel_with(now)
        for rest in plan(desired=desired, observed=now, owned=owned):
            second.apply(rest)
        assert second.read_table() == desired
        if operation is not None:
            kernel.apply(operation)


ROW = destination(weight=2)
SERVICE = service()


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        pytest.param(SERVICE, replace(SERVICE, scheduler="sh"), "scheduler", id="scheduler"),
        pytest.param(
            SERVICE, replace(SERVICE, scheduler_flags=SchedulerFlag.FLAG_1), "scheduler_flags", id="scheduler flags"
        ),
        pytest.param(SERVICE, replace(SERVICE, persistence=persistence()), "persistence", id="persistence"),
        pytest.param(SERVICE, replace(SERVICE, one_packet=True), "one_packet", id="one packet"),
    ],
)
def test_one_changed_service_attribute_is_one_update(old: Service, new: Service, changed: str) -> None:
    """A service that differs in one attribute is updated once, and the attribute is named."""
    rows = [ROW]
    before = table(service_entry(service=old, destinations=rows))
    after = table(service_entry(service=new, destinations=rows))

    assert plan(desired=after, observed=before, owned={SERVICE.key}) == (UpdateService(new, (changed,)),)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"weight": 3}, id="weight"),
        pytest.param({"forwarding": ForwardingMethod.MASQUERADE}, id="forwarding"),
        pytest.param({"upper_threshold": 10}, id="upper threshold"),
        pytest.param({"lower_threshold": 5}, id="lower threshold"),
    ],
)
def test_one_changed_destination_attribute_is_one_update(change: dict[str, object]) -> None:
    """A destination that differs in one attribute is updated once, and the attribute is named."""
    new: Destination = replace(ROW, **change)  # type: ignore[arg-type]
    before = table(service_entry(service=SERVICE, destinations=[ROW]))
    after = table(service_entry(service=SERVICE, destinations=[new]))

    operations = plan(desired=after, observed=before, owned={SERVICE.key})

    assert operations == (UpdateDestination(SERVICE.key, new, tuple(change)),)


def test_operations_make_before_they_break() -> None:
    """Services first, then additions, raised weights, lowered weights, deletions, and services to delete last."""
    gone = service(key=fwmark_key())
    before = table(
        service_entry(
            service=SERVICE,
            destinations=[ROW, destination(address="10.0.0.2"), destination(address="10.0.0.3", weight=0)],
        ),
        service_entry(service=gone),
    )
    after = table(
        service_entry(
            service=replace(SERVICE, scheduler="rr"),
            destinations=[
                destination(address="10.0.0.2", weight=0),
                destination(address="10.0.0.3", weight=1),
                destination(address="10.0.0.4"),
            ],
        )
    )

    operations: tuple[Operation, ...] = plan(desired=after, observed=before, owned={SERVICE.key, gone.key})

    assert [type(operation) for operation in operations] == [
        UpdateService,
        AddDestination,
        UpdateDestination,
        UpdateDestination,
        DeleteDestination,
        DeleteService,
    ]
    assert [one.destination.weight for one in operations if isinstance(one, UpdateDestination)] == [1, 0]
    assert {service_of(operation) for operation in operations} == {SERVICE.key, gone.key}


def test_drift_names_each_row_that_others_touched() -> None:
    """Missing, unexpected and changed rows are told apart, and a lost service counts once."""
    left = table(
        service_entry(service=SERVICE, destinations=[ROW, destination(address="10.0.0.2")]),
        service_entry(service=service(key=fwmark_key()), destinations=[ROW]),
    )
    now = table(
        service_entry(
            service=replace(SERVICE, scheduler="rr"),
            destinations=[replace(ROW, weight=9), destination(address="10.0.0.3")],
        )
    )

    drift = find_drift(last_table=left, observed=now, owned={SERVICE.key, fwmark_key()})

    assert set(drift) == {
        Drift(DriftKind.MODIFIED, SERVICE.key),
        Drift(DriftKind.MODIFIED, SERVICE.key, ROW.key),
        Drift(DriftKind.MISSING, SERVICE.key, destination(address="10.0.0.2").key),
        Drift(DriftKind.UNEXPECTED, SERVICE.key, destination(address="10.0.0.3").key),
        Drift(DriftKind.MISSING, fwmark_key()),
    }


@given(tables, tables, owned_sets)
def test_drift_of_foreign_services_is_nobodys_business(left: Table, now: Table, owned: set[ServiceKey]) -> None:
    """Only owned services drift."""
    assert all(drift.service in owned for drift in find_drift(last_table=left, observed=now, owned=owned))
