from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields

import pytest

from lvs_agent.model.ipvs import (
    OPERATION_NAMES,
    SCHEDULER_FLAG_NAMES,
    SCHEDULERS,
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    ForwardingMethod,
    Operation,
    Protocol,
    SchedulerFlag,
    TunnelChecksum,
    TunnelType,
    UpdateDestination,
    UpdateService,
    operation_name,
    service_of,
)
from lvs_agent.model.outline import outline_key
from tests.builders import check_spec, destination, fwmark_key, report, service, service_key

KEY = service_key()
ROW = destination()
OPERATIONS: dict[str, Operation] = {
    "add_service": AddService(service()),
    "update_service": UpdateService(service(), ("scheduler",)),
    "delete_service": DeleteService(KEY),
    "add_destination": AddDestination(KEY, ROW),
    "update_destination": UpdateDestination(KEY, ROW, ("weight",)),
    "delete_destination": DeleteDestination(KEY, ROW.key),
}


@pytest.mark.parametrize(("name", "operation"), OPERATIONS.items(), ids=OPERATIONS.keys())
def test_operation_has_a_name_and_a_service(name: str, operation: Operation) -> None:
    """Metrics, logs and plans call it the same, and know what it touches."""
    assert operation_name(operation) == name
    assert service_of(operation) == KEY


def test_names_of_operations_are_complete() -> None:
    """A metric has a row for each, used or not."""
    assert set(OPERATION_NAMES) == set(OPERATIONS)


@pytest.mark.parametrize(
    ("numbers", "kernel"),
    [
        pytest.param([one.number for one in Protocol], [6, 17, 132], id="IPPROTO"),
        pytest.param([one.number for one in ForwardingMethod], [0, 1, 2, 3, 4], id="IP_VS_CONN_F"),
        pytest.param([one.number for one in TunnelType], [0, 1, 2], id="IP_VS_CONN_F_TUNNEL_TYPE"),
        pytest.param([one.number for one in TunnelChecksum], [0, 1, 2], id="IP_VS_TUNNEL_ENCAP_FLAG"),
        pytest.param([one.value for one in SchedulerFlag], [0x08, 0x10, 0x20], id="IP_VS_SVC_F_SCHED"),
    ],
)
def test_numbers_are_the_kernels(numbers: list[int], kernel: list[int]) -> None:
    """As in linux/ip_vs.h."""
    assert numbers == kernel


def test_named_flags_belong_to_schedulers_that_exist() -> None:
    """A name begins with its scheduler's."""
    prefixes = {name.partition("-")[0] for name in SCHEDULER_FLAG_NAMES} - {"flag"}

    assert prefixes == {"sh", "mh"}
    assert prefixes <= set(SCHEDULERS)


@pytest.mark.parametrize(
    "row", [KEY, fwmark_key(), ROW, service(), *OPERATIONS.values()], ids=lambda row: type(row).__name__
)
def test_rows_are_values(row: object) -> None:
    """Equal, hashable, picklable and unchangeable: they go through threads and processes."""
    again = pickle.loads(pickle.dumps(row))

    assert again == row
    assert hash(again) == hash(row)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(row, fields(row)[0].name, None)  # type: ignore[arg-type]


def test_checks_and_reports_travel_between_processes() -> None:
    """What goes into the engine and what comes out of it is plain data."""
    spec, done = check_spec(), report()

    assert pickle.loads(pickle.dumps(spec)) == spec
    assert pickle.loads(pickle.dumps(done)) == done


def test_outline_does_not_know_the_family_of_a_mark() -> None:
    """/proc shows the number alone."""
    assert outline_key(fwmark_key(mark=7)) == 7
