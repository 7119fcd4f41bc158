from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from lvs_agent.clock import ManualClock
from lvs_agent.control.checking import Checking
from lvs_agent.control.journal import Journal
from lvs_agent.control.memory import Memory
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.state import AgentState
from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import EngineStatus, ReconcileStatus, ServerStatus, Snapshot
from lvs_agent.model.check import CheckId, CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from lvs_agent.model.event import EventKind, EventQuery
from lvs_agent.model.intent import Intent, PassWhen
from lvs_agent.model.ipvs import ServiceKey
from tests.builders import (
    NOW,
    check_spec,
    config_status,
    fwmark_key,
    intent,
    real_server,
    report,
    service,
    service_key,
    virtual_service,
)

PASS, FAIL = Passed(), Failed(FailureReason.STATUS, "503 Service Unavailable")
WEB = virtual_service()
KEY = (WEB.service.key, WEB.real_servers[0].key)


class Bench:
    """A state with what feeds it, and what it asks for."""

    def __init__(self, wanted: Intent | None = None, *, memory: Memory | None = None) -> None:
        self.clock = ManualClock(now=NOW)
        self.state = AgentState(
            clock=self.clock,
            writes=True,
            intent=wanted or intent(services=[WEB], checks=[check_spec(rise=2, fall=2)]),
            config=config_status(),
            memory=memory or Memory(),
        )
        self.downs: list[tuple[CheckId, bool]] = []
        self.woken: list[frozenset[ServiceKey]] = []
        self.journal = Journal(clock=self.clock)
        self.checking = Checking(state=self.state, reporter=Reporter(self.journal), wake=self.woken.append)

    def tell(self, *results: CheckResult, check: str = "check") -> None:
        """One report for each of ``results``, a second apart."""
        for result in results:
            self.clock.advance(1.0)
            self.downs += self.checking.take([report(check=check, result=result, ended_at=self.clock.now())])

    def adopt(self, wanted: Intent) -> None:
        """Put ``wanted`` in force."""
        self.state.configuration_adopted(self.state.prepare(wanted, config_status()))

    def converge(self) -> None:
        """End a round that has left the table in sync."""
        self.end_round(replace(self.state.reconcile, converged_once=True))

    def end_round(self, reconcile: ReconcileStatus, *, deleted: frozenset[ServiceKey] = frozenset()) -> None:
        """End a round of no service."""
        self.state.round_ended(reconcile, decided=(), withdrawn=frozenset(), deleted=deleted)

    def snapshot(self) -> Snapshot:
        """What readers see."""
        return self.state.snapshot(engine=EngineStatus(), log_messages={})


@pytest.fixture
def bench() -> Bench:
    """One service with one real server, rise 2, fall 2."""
    return Bench()


def test_verdict_wakes_the_loop_and_slows_or_quickens_the_check(bench: Bench) -> None:
    """Only a change of health wakes the loop and changes the interval; other results pass silently."""
    bench.tell(PASS, PASS, FAIL, FAIL, FAIL, PASS, PASS)

    assert bench.downs == [("check", False), ("check", True), ("check", False)]
    assert bench.woken == [frozenset({WEB.service.key})] * 3


def test_changes_between_up_and_down_are_counted_and_dated(bench: Bench) -> None:
    """The first result does not count as a change; each later one does, with the time of the report that brought it."""
    bench.tell(PASS)
    first = bench.state.servers[KEY]
    bench.tell(FAIL, FAIL, PASS, PASS)

    assert first == ServerStatus(Health.UP, since=NOW + 1)
    assert bench.state.servers[KEY] == ServerStatus(Health.UP, since=NOW + 5, ups=1, downs=1)


def test_transition_is_one_line_with_its_reason(bench: Bench) -> None:
    """Going down says which check failed and why; steady results say nothing."""
    with capture_logs() as lines:
        bench.tell(PASS, PASS, FAIL, FAIL, FAIL)

    assert [line["event"] for line in lines] == ["real_server_up", "real_server_down"]
    assert lines[1]["reason"] is FailureReason.STATUS
    assert lines[1]["detail"] == "503 Service Unavailable"
    assert (lines[1]["virtual_service"], lines[1]["real_server"]) == ("web", "10.0.0.1:80")


def test_own_error_is_counted_and_logged_once_and_changes_nothing(bench: Bench) -> None:
    """An error of ours leaves the server as it is, however often it happens."""
    bench.tell(PASS)
    with capture_logs() as lines:
        bench.tell(*[Errored(ErrorReason.NO_DESCRIPTORS, "24 open files")] * 5)

    status = bench.state.checks[CheckId("check")].status()
    assert [line["event"] for line in lines] == ["check_not_possible"]
    assert bench.state.servers[KEY].health is Health.UP
    assert status.errors == {ErrorReason.NO_DESCRIPTORS: 5}
    assert (status.failures, sum(status.durations.counts)) == ({}, 6)


def test_one_check_speaks_for_every_server_that_has_it() -> None:
    """A verdict of a shared check reaches each of its services, in one wake."""
    other = virtual_service(name="other", service=service(key=fwmark_key()))
    bench = Bench(intent(services=[WEB, other]))

    bench.tell(FAIL)

    assert {key[0]: status.health for key, status in bench.state.servers.items()} == {
        service_key(): Health.DOWN,
        fwmark_key(): Health.DOWN,
    }
    assert bench.woken == [frozenset({service_key(), fwmark_key()})]


def test_server_with_two_checks_needs_both() -> None:
    """One failing check takes the server down, and only both bring it up again."""
    bench = Bench(intent(services=[virtual_service(real_servers=[real_server(checks=("a", "b"))])]))

    bench.tell(PASS, check="a")
    half = bench.state.servers[KEY].health
    bench.tell(PASS, check="b")
    bench.tell(FAIL, check="a")

    assert half is Health.UNKNOWN
    assert bench.state.servers[KEY].health is Health.DOWN


def test_check_that_only_lowers_the_weight_decides_nothing_else() -> None:
    """While it is down the server is up with a share of its weight, and the loop is woken."""
    server = replace(real_server(checks=("a",)), lowering=((CheckId("b"), 20),))
    bench = Bench(
        intent(services=[virtual_service(real_servers=[server])], checks=[check_spec(name="a"), check_spec(name="b")])
    )

    bench.tell(PASS, check="a")
    bench.tell(PASS, check="b")
    well = bench.state.shares()
    bench.woken.clear()
    bench.tell(FAIL, check="b")

    assert well == {}
    assert bench.state.shares() == {KEY: 20}
    assert bench.state.servers[KEY].health is Health.UP
    assert bench.woken == [frozenset({KEY[0]})]


def test_server_may_ask_for_a_share_of_its_weight() -> None:
    """Each time that it asks for another one, the loop is woken; the least of several counts."""
    specs = [replace(check_spec(name=name), gives_weight=True) for name in ("a", "b")]
    bench = Bench(intent(services=[virtual_service(real_servers=[real_server(checks=("a", "b"))])], checks=specs))
    bench.tell(Passed(weight_percent=80), check="a")
    bench.tell(Passed(weight_percent=50), check="b")
    bench.woken.clear()

    bench.tell(Passed(weight_percent=50), check="b")
    same = list(bench.woken)
    bench.tell(Passed(weight_percent=0), check="b")

    assert same == []
    assert bench.woken == [frozenset({KEY[0]})]
    assert bench.state.shares() == {KEY: 0}


def test_any_check_may_be_enough() -> None:
    """Where the operator says so, a server is down only when all of its checks are."""
    server = replace(real_server(checks=("a", "b")), pass_when=PassWhen.ANY)
    bench = Bench(intent(services=[virtual_service(real_servers=[server])]))

    bench.tell(FAIL, check="a")
    bench.tell(PASS, check="b")
    one = bench.state.servers[KEY].health
    bench.tell(FAIL, check="b")

    assert (one, bench.state.servers[KEY].health) == (Health.UP, Health.DOWN)


def test_report_of_a_check_that_left_is_dropped(bench: Bench) -> None:
    """A probe may end after its check has left the configuration."""
    bench.tell(PASS, check="gone")

    assert bench.woken == []


def test_new_intent_keeps_what_is_the_same_in_it(bench: Bench) -> None:
    """Health, time and counters of an unchanged server survive; a changed check starts from unknown."""
    bench.tell(PASS, FAIL, FAIL)
    before = bench.state.servers[KEY]
    newcomer = virtual_service(
        name="new", service=service(key=fwmark_key()), real_servers=[real_server(checks=["new"])]
    )

    bench.adopt(intent(services=[WEB, newcomer], checks=[check_spec(rise=2, fall=2), check_spec(name="new")]))
    kept = bench.state.servers[KEY]
    changed = virtual_service(real_servers=[real_server(checks=["other"])])
    bench.adopt(intent(services=[changed]))

    assert kept == before
    assert bench.state.servers == {KEY: replace(before, health=Health.UNKNOWN, since=bench.clock.now())}
    assert bench.state.owned == {service_key(), fwmark_key()}


def test_first_verdict_that_agrees_with_an_earlier_process_keeps_its_time() -> None:
    """A restart does not make a server that was down all night down since now."""
    memory = Memory(owned=frozenset({WEB.service.key}), servers={KEY: ServerStatus(Health.DOWN, since=5.0)})
    same, other = Bench(memory=memory), Bench(memory=memory)

    same.tell(FAIL, FAIL)
    other.tell(PASS)

    assert same.state.servers[KEY] == ServerStatus(Health.DOWN, since=5.0)
    assert other.state.servers[KEY] == ServerStatus(Health.UP, since=NOW + 1)


def test_memory_of_a_server_not_settled_yet_is_handed_on() -> None:
    """A process that ends before its first verdict leaves the earlier one's word behind."""
    memory = Memory(owned=frozenset({WEB.service.key}), servers={KEY: ServerStatus(Health.DOWN, since=5.0)})

    assert Bench(memory=memory).state.memory() == memory


def test_disowned_service_stays_ours_when_it_is_wanted_again(bench: Bench) -> None:
    """A service that came back while its deletion was under way is not forgotten."""
    bench.end_round(ReconcileStatus(), deleted=frozenset({WEB.service.key, fwmark_key()}))

    assert bench.state.owned == {WEB.service.key}


def test_snapshot_is_ready_after_every_check_and_one_right_table(bench: Bench) -> None:
    """Readiness wants both."""
    bench.tell(PASS)
    checked = bench.snapshot()
    bench.converge()

    assert (checked.vitals.unreported, checked.ready) == (0, False)
    assert bench.snapshot().ready


def test_first_result_of_a_check_wakes_the_loop_even_where_it_settles_nothing(bench: Bench) -> None:
    """Readiness needs a round after the last check has spoken."""
    bench.tell(FAIL, Errored(ErrorReason.NO_ROUTE))

    assert bench.state.servers[KEY].health is Health.UNKNOWN
    assert bench.woken == [frozenset({WEB.service.key})]


def test_transition_is_an_event_at_the_time_of_its_report(bench: Bench) -> None:
    """The journal has each change of health with what the check said; steady results add nothing."""
    bench.tell(PASS, PASS, FAIL, FAIL, FAIL, PASS, PASS)

    events = bench.journal.select(EventQuery())
    assert [(event.kind, event.at) for event in events] == [
        (EventKind.SERVER_UP, NOW + 1),
        (EventKind.SERVER_DOWN, NOW + 4),
        (EventKind.SERVER_UP, NOW + 7),
    ]
    assert (events[1].virtual_service, events[1].real_server) == (WEB.name, WEB.real_servers[0].name)
    assert events[1].facts["detail"] == "503 Service Unavailable"
    assert (events[0].facts["previous"], events[1].facts["previous"]) == ("unknown", "up")


def test_what_an_earlier_process_knew_is_no_event() -> None:
    """A restart finds most servers as they were: the journal of the night is about what has changed."""
    known = Memory(servers={KEY: ServerStatus(Health.UP, since=NOW - 99)})
    same, other = Bench(memory=known), Bench(memory=known)
    same.tell(PASS)
    other.tell(FAIL, FAIL)

    assert same.journal.select(EventQuery()) == ()
    assert [event.kind for event in other.journal.select(EventQuery())] == [EventKind.SERVER_DOWN]


def test_check_that_cannot_be_made_is_an_event_and_so_is_its_return(bench: Bench) -> None:
    """Our own fault is recorded for each server that the check is about, once as long as it is the same."""
    bench.tell(PASS, Errored(ErrorReason.NO_ROUTE, "no route"), Errored(ErrorReason.NO_ROUTE, "no route"), PASS)

    events = bench.journal.select(EventQuery())
    assert [(event.kind, event.real_server) for event in events[1:]] == [
        (EventKind.CHECK_NOT_POSSIBLE, WEB.real_servers[0].name),
        (EventKind.CHECK_RECOVERED, WEB.real_servers[0].name),
    ]
    assert events[1].facts == {"check": "http", "reason": "no_route", "detail": "no route"}


def test_server_whose_checks_no_longer_tell_is_an_event() -> None:
    """A check that comes up where another has not spoken yet leaves the server neither up nor down."""
    server = real_server(checks=["one", "two"])
    bench = Bench(intent(services=[virtual_service(real_servers=[server])]))
    bench.tell(FAIL, PASS, check="one")

    events = bench.journal.select(EventQuery())
    assert [event.kind for event in events] == [EventKind.SERVER_DOWN, EventKind.SERVER_UNKNOWN]
