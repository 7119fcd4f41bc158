from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from lvs_agent.control.round import RoundInput, perform
from lvs_agent.control.round_account import account_round
from lvs_agent.core.decide import History
from lvs_agent.core.health import Health
from lvs_agent.core.reconcile import DriftKind
from lvs_agent.core.snapshot import ReconcileStatus, ServerKey
from lvs_agent.errors import IpvsError
from lvs_agent.model.intent import Intent, VirtualService
from lvs_agent.model.ipvs import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    ServiceKey,
    Table,
    UpdateDestination,
)
from tests.builders import (
    destination,
    fwmark_key,
    intent,
    real_server,
    service,
    service_entry,
    service_key,
    table,
    table_of,
    virtual_service,
)
from tests.control.fakes import FlakyIpvs

WEB = virtual_service(
    real_servers=[real_server(), real_server(address="10.0.0.2")], sorry_server=destination(address="10.0.0.99")
)
DNS = virtual_service(name="dns", service=service(key=service_key(protocol="udp", port=53)))


def given(
    *services: VirtualService,
    health: Health = Health.UP,
    healths: Mapping[ServerKey, Health] | None = None,
    last_table: Table | None = None,
    scope: Iterable[ServiceKey] | None = None,
    owned: Iterable[ServiceKey] = (),
    writes: bool = True,
) -> RoundInput:
    """A round for ``services`` whose real servers all have ``health``, but for ``healths``."""
    wanted: Intent = intent(services=services)
    every = {(one.service.key, server.key): health for one in services for server in one.real_servers}
    return RoundInput(
        intent=wanted,
        healths=every | dict(healths or {}),
        history=History(seen=frozenset(every)),
        owned=frozenset(owned) | {one.service.key for one in services},
        last_table=last_table,
        scope=None if scope is None else frozenset(scope),
        writes=writes,
    )


@pytest.fixture
def kernel() -> FlakyIpvs:
    """An empty table."""
    return FlakyIpvs()


def test_first_round_fills_an_empty_table(kernel: FlakyIpvs) -> None:
    """Everything that is up is in the table after one round, and nothing is left to do."""
    result = perform(kernel, given(WEB, DNS))

    assert kernel.read_table() == table_of(WEB, DNS)
    assert (result.pending, result.failed, result.drift) == ((), False, ())


def test_right_table_is_adopted_without_a_write(kernel: FlakyIpvs) -> None:
    """A table that an earlier process left as it should be is not written to, whatever is known of health."""
    perform(kernel, given(WEB))
    kernel.applied.clear()

    result = perform(kernel, given(WEB, health=Health.UNKNOWN))

    assert kernel.applied == []
    assert result.pending == ()


def test_dry_round_plans_and_writes_nothing(kernel: FlakyIpvs) -> None:
    """Without the right to write, the operations stay pending."""
    result = perform(kernel, given(WEB, writes=False))

    assert (result.applied, kernel.applied) == ((), [])
    assert [type(one) for one in result.pending] == [AddService, AddDestination, AddDestination]


def test_refused_operation_holds_back_the_rest_of_its_service_only(kernel: FlakyIpvs) -> None:
    """When the sorry server cannot be added, the last real server is not taken out; other services go on."""
    perform(kernel, given(WEB))
    kernel.refuse = lambda one: errno.ENOMEM if isinstance(one, AddDestination) and one.service == service_key() else 0

    result = perform(
        kernel, given(WEB, DNS, healths={(WEB.service.key, row.key): Health.DOWN for row in WEB.real_servers})
    )

    assert len(kernel.read_table().entries[WEB.service.key].destinations) == 2
    assert DNS.service.key in kernel.read_table().entries
    assert result.failed
    assert any(isinstance(one, DeleteDestination) for one in result.pending)


def test_repair_is_counted_once_for_each_touched_row(kernel: FlakyIpvs) -> None:
    """What others changed is found, repaired and counted."""
    left = perform(kernel, given(WEB)).last_table
    first, second = (server.destination for server in WEB.real_servers)
    super(FlakyIpvs, kernel).apply(UpdateDestination(WEB.service.key, replace(first, weight=9)))
    super(FlakyIpvs, kernel).apply(DeleteDestination(WEB.service.key, second.key))

    result = perform(kernel, given(WEB, last_table=left))

    assert {drift.kind for drift in result.drift} == {DriftKind.MODIFIED, DriftKind.MISSING}
    assert result.repaired == 2
    assert kernel.read_table() == table_of(WEB)


def test_own_changes_are_no_drift(kernel: FlakyIpvs) -> None:
    """A server that goes down, and a service that the configuration gains, are nobody else's doing."""
    left = perform(kernel, given(WEB)).last_table
    down = {(WEB.service.key, WEB.real_servers[0].key): Health.DOWN}

    result = perform(kernel, given(WEB, DNS, healths=down, last_table=left))

    assert (result.drift, result.repaired) == ((), 0)
    assert len(result.applied) == 3


def test_scoped_round_reads_and_writes_only_its_services(kernel: FlakyIpvs) -> None:
    """A change of health of one service neither reads nor repairs another."""
    left = perform(kernel, given(WEB, DNS)).last_table
    super(FlakyIpvs, kernel).apply(DeleteService(DNS.service.key))
    kernel.read_scopes.clear()

    result = perform(kernel, given(WEB, DNS, last_table=left, scope=[WEB.service.key]))

    assert [set(scope or ()) for scope in kernel.read_scopes] == [{WEB.service.key}]
    assert (result.applied, set(result.pools)) == ((), {WEB.service.key})


def test_service_that_left_the_configuration_is_deleted_and_a_foreign_one_is_not(kernel: FlakyIpvs) -> None:
    """Ownership decides: what was ours goes, what was never ours stays."""
    foreign = service(key=fwmark_key())
    perform(kernel, given(WEB, DNS))
    super(FlakyIpvs, kernel).apply(AddService(foreign))

    perform(kernel, given(WEB, owned=[DNS.service.key]))

    assert kernel.read_table() == table(*table_of(WEB).entries.values(), service_entry(service=foreign))


def test_unreadable_table_is_an_error_before_anything_is_written(kernel: FlakyIpvs) -> None:
    """A round that cannot read does not write."""
    kernel.deaf = True

    with pytest.raises(IpvsError):
        perform(kernel, given(WEB))

    assert kernel.applied == []


def test_what_was_applied_is_known_even_when_it_cannot_be_read_back(kernel: FlakyIpvs) -> None:
    """A kernel that goes silent after the writes leaves a failed round that tells what it did."""
    kernel.deaf_after_writes = True

    result = perform(kernel, given(DNS))
    status = account_round(ReconcileStatus(), given(DNS), result, duration_s=0.1, now=1.0)

    assert result.last_table is None
    assert result.failed
    assert status.operations == {"add_service": 1, "add_destination": 1}
    assert (status.errors, status.converged_once, status.last_success_at) == (1, False, None)


def test_scoped_result_changes_only_its_part_of_the_status(kernel: FlakyIpvs) -> None:
    """What a round did not look at stays in the status as it was."""
    whole = given(WEB, DNS)
    status = account_round(ReconcileStatus(), whole, perform(kernel, whole), duration_s=0.1, now=1.0)
    down = {(WEB.service.key, WEB.real_servers[0].key): Health.DOWN}
    scoped = given(WEB, DNS, healths=down, last_table=status.last_table, scope=[WEB.service.key])

    after = account_round(status, scoped, perform(kernel, scoped), duration_s=0.1, now=2.0)

    assert after.last_table == kernel.read_table()
    assert set(after.pools) == {WEB.service.key, DNS.service.key}
    assert (after.rounds, after.last_success_at, after.converged_once) == (2, 2.0, True)
    assert after.operations == {"add_service": 2, "add_destination": 3, "delete_destination": 1}


def test_refused_operations_are_counted_by_errno(kernel: FlakyIpvs) -> None:
    """Every refusal is counted under its operation and the name of its errno."""
    kernel.refuse = lambda _: errno.EPERM
    asked: RoundInput = given(WEB, DNS)

    status = account_round(ReconcileStatus(), asked, perform(kernel, asked), duration_s=0.1, now=1.0)

    assert status.operation_errors == {("add_service", "EPERM"): 2}
    assert "EPERM" in status.last_error
    assert {one.kind for one in status.drift} == {DriftKind.MISSING}
    assert not status.converged_once


def operations(kernel: FlakyIpvs) -> list[type[Operation]]:
    """The kinds of operations that were applied."""
    return [type(one) for one in kernel.applied]


def test_sorry_server_comes_before_the_last_one_goes_and_leaves_after_the_first_is_back(kernel: FlakyIpvs) -> None:
    """In neither direction is there a moment with nobody in the table."""
    keys = [(WEB.service.key, server.key) for server in WEB.real_servers]
    perform(kernel, given(WEB))
    kernel.applied.clear()

    perform(kernel, given(WEB, healths=dict.fromkeys(keys, Health.DOWN)))
    perform(kernel, given(WEB, healths={keys[0]: Health.DOWN}))

    assert operations(kernel) == [
        AddDestination,
        DeleteDestination,
        DeleteDestination,
        AddDestination,
        DeleteDestination,
    ]


def test_table_is_right_for_good_only_after_every_check_has_run(kernel: FlakyIpvs) -> None:
    """A table that is as wanted while a server still waits for its first verdict does not make the agent ready."""
    early, late = given(WEB, health=Health.UNKNOWN), given(WEB)

    before = account_round(
        ReconcileStatus(), replace(early, all_checked=False), perform(kernel, early), duration_s=0.1, now=1.0
    )
    after = account_round(before, late, perform(kernel, late), duration_s=0.1, now=2.0)

    assert (before.converged_once, after.converged_once) == (False, True)


@pytest.mark.parametrize("operation", ["delete", "add", "update", "delete a destination"])
def test_nothing_is_written_to_a_service_that_is_not_owned(
    kernel: FlakyIpvs, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """Whatever a plan says, nobody else's service is touched, and the others of the plan are applied."""
    foreign = service_entry(service=service(key=service_key(port=8443)), destinations=[destination()])
    kernel.apply(AddService(foreign.service))
    kernel.apply(AddDestination(foreign.service.key, destination()))
    wrong: dict[str, Operation] = {
        "delete": DeleteService(foreign.service.key),
        "add": AddDestination(foreign.service.key, destination(address="10.0.0.7")),
        "update": UpdateDestination(foreign.service.key, destination(weight=0)),
        "delete a destination": DeleteDestination(foreign.service.key, destination().key),
    }
    monkeypatch.setattr("lvs_agent.control.round.plan", lambda **_: (wrong[operation], AddService(WEB.service)))

    result = perform(kernel, given(WEB))

    assert [one.error.errno_name for one in result.applied if one.error] == ["not_owned"]
    assert result.failed
    assert kernel.read_table() == table(foreign, service_entry(service=WEB.service))
