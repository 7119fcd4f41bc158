from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from lvs_agent.clock import SystemClock
from lvs_agent.control.journal import Journal
from lvs_agent.control.memory import Memory
from lvs_agent.control.reconciling import Periods, Reconciling
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.round_requests import RoundRequests
from lvs_agent.control.state import AgentState
from lvs_agent.core.condition import ServiceState
from lvs_agent.core.pool import Membership, Pool
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from lvs_agent.model.event import EventKind, EventQuery
from lvs_agent.model.intent import Intent, OnDown
from lvs_agent.model.ipvs import DeleteDestination, DeleteService, ServiceKey, Table, UpdateDestination
from tests.builders import (
    config_status,
    destination,
    intent,
    real_server,
    report,
    service,
    service_key,
    table_of,
    virtual_service,
)
from tests.control.fakes import FlakyIpvs

FAILED = Failed(FailureReason.STATUS)
WEB = virtual_service()
DNS = virtual_service(name="dns", service=service(key=service_key(protocol="udp", port=53)))
SLOW, OFTEN = Periods(reconcile_s=60.0, compare_s=60.0), Periods(reconcile_s=60.0, compare_s=0.02)


class Bench:
    """The loop on a table in memory, with every real server up."""

    def __init__(self, *, wanted: Intent | None = None, periods: Periods = SLOW, writes: bool = True) -> None:
        self.kernel = FlakyIpvs()
        self.clock = SystemClock()
        self.remembered = 0
        self.decided: list[Mapping[ServiceKey, Pool]] = []
        self.state = AgentState(
            clock=self.clock,
            writes=writes,
            intent=wanted or intent(services=[WEB, DNS]),
            config=config_status(),
            memory=Memory(),
        )
        self.report(Passed())
        self.journal = Journal(clock=self.clock)
        self.requests = RoundRequests()
        self.loop = Reconciling(
            backend=self.kernel,
            state=self.state,
            reporter=Reporter(self.journal),
            requests=self.requests,
            clock=self.clock,
            periods=periods,
            remember=self._remember,
            decided=self.decided.append,
        )

    def report(self, result: CheckResult, *, check: str = "check") -> None:
        """Let a check, by default the one that all of the real servers share, end with ``result``."""
        self.state.checks_reported([report(check=check, result=result)])

    def _remember(self) -> None:
        self.remembered += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The loop at work; ended, and its thread with it, at the end."""
        task = asyncio.create_task(self.loop.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.loop.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; fail after some seconds."""
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - conditions of every kind
                await asyncio.sleep(0.005)

    def edit(self, operation: DeleteService | DeleteDestination | UpdateDestination) -> None:
        """Change the table as somebody else would."""
        super(FlakyIpvs, self.kernel).apply(operation)

    @property
    def right(self) -> bool:
        """Whether the table is as wanted."""
        return self.kernel.read_table() == table_of(*self.state.intent.services)


def trial(scenario: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run an asynchronous test to its end."""

    def test() -> None:
        asyncio.run(_await(scenario()))

    test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
    return test


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable


@trial
async def test_first_round_comes_at_once_and_makes_the_table_right() -> None:
    """The loop begins with a round over everything, and has the result remembered."""
    bench = Bench()
    async with bench.running():
        await asyncio.wait_for(bench.loop.first_round.wait(), 5)
        await bench.until(lambda: bench.right)

    assert bench.state.reconcile.pending == ()
    assert bench.remembered == 1
    assert bench.state.history().seen == set(bench.state.servers)


@trial
async def test_wakes_that_come_together_are_one_round() -> None:
    """A burst of changes of health is answered once, for all the services it named."""
    bench = Bench()
    async with bench.running():
        await bench.until(lambda: bench.state.reconcile.rounds == 1)
        bench.kernel.read_scopes.clear()
        bench.report(FAILED)
        for woken, _ in bench.state.servers:
            bench.requests.wake(frozenset({woken}))
        await bench.until(lambda: bench.state.reconcile.rounds == 2)

    assert set(bench.kernel.read_scopes[0] or ()) == {WEB.service.key, DNS.service.key}
    assert bench.state.reconcile.operations["delete_destination"] == 2


@trial
async def test_change_by_others_is_noticed_between_two_periods() -> None:
    """A look at the outline is enough to start a round, and the repair is counted."""
    bench = Bench(periods=OFTEN)
    async with bench.running():
        await bench.until(lambda: bench.state.reconcile.rounds == 1)
        with capture_logs() as lines:
            bench.edit(DeleteService(WEB.service.key))
            await bench.until(lambda: bench.right)
            await bench.until(lambda: bench.state.reconcile.drift_repairs == 1)

    assert lines[0]["event"] == "table_changed_by_others"


@trial
async def test_untouched_table_is_looked_at_but_not_read_or_written() -> None:
    """Between two periods an unchanged table costs one outline a second and nothing else."""
    bench = Bench(periods=OFTEN)
    async with bench.running():
        await bench.until(lambda: bench.state.reconcile.rounds == 1)
        reads, writes = len(bench.kernel.read_scopes), len(bench.kernel.applied)
        await bench.until(lambda: bench.kernel.outlines > 5)

    assert (len(bench.kernel.read_scopes), len(bench.kernel.applied)) == (reads, writes)
    assert bench.state.reconcile.rounds == 1


@trial
async def test_what_the_outline_cannot_show_is_repaired_with_the_period() -> None:
    """Thresholds are not in the outline; the full round of each period sees them."""
    bench = Bench(periods=Periods(reconcile_s=0.1, compare_s=0.05))
    async with bench.running():
        await bench.until(lambda: bench.right)
        bench.edit(UpdateDestination(WEB.service.key, destination(upper_threshold=5)))
        await bench.until(lambda: bench.state.reconcile.drift_repairs == 1)

    assert bench.right


@trial
async def test_refused_operation_is_tried_again_and_said_once() -> None:
    """A refusal is planned again at the next look, and logged only when something about it changes."""
    bench = Bench(periods=OFTEN)
    bench.kernel.refuse = lambda _: errno.EPERM
    with capture_logs() as lines:
        async with bench.running():
            await bench.until(lambda: bench.state.reconcile.rounds > 3)
            bench.kernel.refuse = lambda _: 0
            await bench.until(lambda: bench.right)

    assert [line["event"] for line in lines].count("operation_refused") == 2
    assert bench.state.reconcile.operation_errors[("add_service", "EPERM")] >= 6


@trial
async def test_silent_kernel_is_said_once_and_the_loop_goes_on() -> None:
    """A table that cannot be read is one line, however long it lasts, and right once it can."""
    bench = Bench(periods=OFTEN)
    bench.kernel.deaf = True
    with capture_logs() as lines:
        async with bench.running():
            await bench.until(lambda: bench.state.reconcile.errors > 3)
            bench.kernel.deaf = False
            await bench.until(lambda: bench.state.reconcile.rounds == 1)

    assert [line["event"] for line in lines].count("table_not_read") == 1
    assert bench.kernel.read_table() == table_of(WEB, DNS)


@trial
async def test_dry_run_says_what_it_would_do_once() -> None:
    """Without the right to write the plan is reported when it changes, and the table stays as it is."""
    bench = Bench(periods=Periods(reconcile_s=0.05, compare_s=0.05), writes=False)
    with capture_logs() as lines:
        async with bench.running():
            await bench.until(lambda: bench.state.reconcile.rounds > 3)

    assert bench.kernel.read_table() == Table()
    assert [line["event"] for line in lines].count("operation_planned") == 4
    assert len(bench.state.reconcile.pending) == 4
    assert not bench.state.reconcile.converged_once


@trial
async def test_service_that_left_is_deleted_and_then_no_longer_ours() -> None:
    """Ownership ends with the deletion, so a stranger's service of the same key is safe afterwards."""
    bench = Bench()
    async with bench.running():
        await bench.until(lambda: bench.state.reconcile.rounds == 1)
        bench.state.configuration_adopted(bench.state.prepare(intent(services=[WEB]), config_status()))
        bench.requests.wake()
        await bench.until(lambda: bench.right)
        await bench.until(lambda: bench.state.owned == {WEB.service.key})


@trial
async def test_services_can_be_removed_at_the_end() -> None:
    """The last round of an agent that is not to leave its services behind deletes them."""
    bench = Bench()
    async with bench.running():
        await bench.until(lambda: bench.state.reconcile.rounds == 1)
    bench = Bench()
    try:
        await bench.loop.round()
        await bench.loop.remove(frozenset({WEB.service.key, DNS.service.key}))
    finally:
        bench.loop.close()

    assert bench.kernel.read_table() == Table()


@trial
async def test_row_that_somebody_deleted_stays_deleted_until_the_server_is_up() -> None:
    """Where the operator wants it so, a quiesced server is not added again, round after round."""
    server = real_server(on_down=OnDown.QUIESCE, readd_quiesced=False)
    web = virtual_service(real_servers=[server])
    key = (web.service.key, server.key)
    bench = Bench(wanted=intent(services=[web]))
    try:
        bench.report(FAILED)
        await bench.loop.round()
        quiesced = bench.kernel.read_table().entries[key[0]].destinations[key[1]]
        bench.kernel.apply(DeleteDestination(*key))
        for _ in range(3):
            bench.requests.wake()
            await bench.loop.round()
        deleted = bench.kernel.read_table().entries[key[0]].destinations
        memory = bench.state.memory()
        bench.report(Passed())
        bench.requests.wake()
        await bench.loop.round()
        up = bench.kernel.read_table().entries[key[0]].destinations[key[1]]
    finally:
        bench.loop.close()

    assert (quiesced.weight, deleted, up.weight) == (0, {}, 1)
    assert bench.decided[-2][key[0]].placements[key[1]].membership is Membership.WITHDRAWN
    assert memory.withdrawn == {key}
    assert bench.state.withdrawn == frozenset()


@trial
async def test_cancelled_loop_has_finished_writing() -> None:
    """When the loop has ended, no operation is under way any more."""
    bench = Bench()
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(_: object) -> int:
        loop.call_soon_threadsafe(entered.set)
        return 0

    bench.kernel.refuse = slow
    async with bench.running():
        await asyncio.wait_for(entered.wait(), 5)
    writes = len(bench.kernel.applied)
    await asyncio.sleep(0.05)

    assert len(bench.kernel.applied) == writes == 4


@pytest.mark.parametrize("compare_s", [0.0, 0.5])
def test_loop_can_be_made_outside_a_running_loop(compare_s: float) -> None:
    """Nothing happens before ``run``."""
    bench = Bench(periods=Periods(reconcile_s=1.0, compare_s=compare_s))

    assert bench.kernel.read_scopes == []
    bench.loop.close()


# --- what the journal records -----------------------------------------------------------------------------------------


async def rounds(bench: Bench, *steps: Callable[[], object]) -> list[tuple[str, str, str]]:
    """Make a round, then one after each of ``steps``: kind, subject and fact of every event."""
    try:
        await bench.loop.round()
        for step in steps:
            step()
            bench.requests.wake()
            await bench.loop.round()
    finally:
        bench.loop.close()
    events = bench.journal.select(EventQuery())
    return [
        (
            event.kind.value,
            event.real_server or event.virtual_service,
            str(event.facts.get("operation") or event.facts.get("kind") or event.facts.get("up", "")),
        )
        for event in events
    ]


@trial
async def test_journal_tells_what_others_did_and_what_was_done_about_it() -> None:
    """Each operation is an event, and what made it necessary stands before it."""
    bench = Bench(wanted=intent(services=[WEB]))
    server = WEB.real_servers[0]
    told = await rounds(bench, lambda: bench.edit(DeleteDestination(WEB.service.key, server.key)))

    assert told == [
        ("operation_applied", "web", "add_service"),
        ("operation_applied", server.name, "add_destination"),
        ("table_changed_by_others", server.name, "missing"),
        ("operation_applied", server.name, "add_destination"),
    ]


@trial
async def test_journal_tells_a_refusal_once_for_as_long_as_it_lasts() -> None:
    """Rounds that are refused the same again add nothing; an operation that changes nothing is recorded too."""
    bench = Bench(wanted=intent(services=[WEB]))
    bench.kernel.refuse = lambda _: errno.EPERM

    def take_without_effect() -> None:
        bench.kernel.refuse = lambda _: 0
        bench.kernel.blind = True

    told = await rounds(bench, lambda: None, lambda: None, take_without_effect)

    assert told == [
        ("operation_refused", "web", "add_service"),
        ("operation_applied", "web", "add_service"),
        ("operation_applied", "10.0.0.1:80", "add_destination"),
        ("operation_without_effect", "web", "add_service"),
        ("operation_without_effect", "10.0.0.1:80", "add_destination"),
    ]


@trial
async def test_journal_tells_when_the_table_could_not_be_read_and_when_again() -> None:
    """One event each, however many rounds fail; a table that cannot be read back counts as well."""
    bench = Bench(wanted=intent(services=[WEB]))

    def become_deaf_later() -> None:
        bench.kernel.deaf = False
        bench.kernel.deaf_after_writes = True
        bench.edit(DeleteService(WEB.service.key))

    def hear() -> None:
        bench.kernel.deaf = bench.kernel.deaf_after_writes = False

    told = await rounds(
        bench, lambda: setattr(bench.kernel, "deaf", True), lambda: None, become_deaf_later, lambda: None, hear
    )

    assert [kind for kind, _, _ in told if kind.startswith("table_") and "others" not in kind] == [
        "table_not_read",
        "table_read_again",
        "table_not_read",
        "table_read_again",
    ]


@trial
async def test_journal_tells_of_quorum_and_sorry_server() -> None:
    """The last server fails: the quorum is lost and the sorry server is active; it recovers: the reverse."""
    sorry = destination(address="10.0.0.99")
    web = virtual_service(sorry_server=sorry)
    bench = Bench(wanted=intent(services=[web]))
    told = await rounds(
        bench,
        lambda: bench.report(FAILED),
        lambda: None,
        lambda: bench.report(Passed()),
    )

    assert [entry for entry in told if entry[0] != "operation_applied"] == [
        ("quorum_lost", "web", "0"),
        ("sorry_server_activated", "10.0.0.99:80", ""),
        ("sorry_server_deactivated", "10.0.0.99:80", ""),
        ("quorum_regained", "web", "1"),
    ]


@trial
async def test_journal_has_no_operations_where_nothing_is_written() -> None:
    """A plan that is only shown is nothing that happened."""
    bench = Bench(wanted=intent(services=[WEB]), writes=False)

    assert await rounds(bench, lambda: None) == []


@trial
async def test_quorum_is_known_while_the_table_cannot_be_read() -> None:
    """A server that fails then costs its service the quorum at once, and the event comes once."""
    dns = replace(DNS, real_servers=(real_server(checks=["other"]),))
    bench = Bench(wanted=intent(services=[WEB, dns]))
    bench.report(Passed(), check="other")
    await bench.loop.round()
    bench.kernel.deaf = True
    bench.report(FAILED)
    for _ in range(2):
        bench.requests.wake()
        await bench.loop.round()
    bench.loop.close()

    assert bench.state.reconcile.conditions[WEB.service.key].state is ServiceState.DOWN
    assert bench.state.reconcile.conditions[DNS.service.key].state is ServiceState.UP
    assert bench.state.memory().below_quorum == {WEB.service.key}
    lost = bench.journal.select(EventQuery(kinds=frozenset({EventKind.QUORUM_LOST})))
    assert [event.virtual_service for event in lost] == ["web"]
