"""Readers in other threads, while the state changes as fast as it can."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.clock import ManualClock
from lvs_agent.control.memory import Memory
from lvs_agent.control.state import AgentState
from lvs_agent.core.health import Health, combine
from lvs_agent.core.snapshot import EngineStatus, Snapshot
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from lvs_agent.model.intent import Intent
from tests.builders import check_spec, config_status, intent, real_server, report, service, service_key, virtual_service

READERS = 4
SERVERS = 40
CHANGES = 150
FAILED = Failed(FailureReason.STATUS)


def world(name: str) -> Intent:
    """One service on a port of its own, with many real servers that share the one check called ``name``."""
    servers = [real_server(address=f"10.0.0.{number}", checks=[name]) for number in range(1, SERVERS + 1)]
    key = service_key(port=80 if name == "even" else 81)
    return intent(
        services=[virtual_service(name=name, service=service(key=key), real_servers=servers)],
        checks=[check_spec(name=name)],
    )


WORLDS = (world("even"), world("odd"))


def state_of(wanted: Intent, *, digest: str = "even") -> AgentState:
    """A state that has adopted ``wanted``."""
    return AgentState(
        clock=ManualClock(), writes=True, intent=wanted, config=config_status(digest=digest), memory=Memory()
    )


def snapshot_of(state: AgentState) -> Snapshot:
    """What readers see."""
    return state.snapshot(engine=EngineStatus(), log_messages={})


def check_whole(seen: Snapshot) -> None:
    """Fail where ``seen`` is not of one moment."""
    (service_now,) = seen.intent.services
    assert seen.config.digest == service_now.name
    assert seen.checks.keys() == seen.intent.checks.keys() == {service_now.name}
    assert seen.servers.keys() == {(service_now.service.key, server.key) for server in service_now.real_servers}
    healths = {status.health for status in seen.servers.values()}
    (status,) = seen.checks.values()
    assert healths == {combine([status.state.health], pass_when=service_now.real_servers[0].pass_when)}
    assert sum(status.durations.counts) == sum(status.failures.values()) + (status.state.health is Health.UP)
    assert (seen.reconcile.rounds, seen.reconcile.errors) == (seen.reconcile.errors, seen.reconcile.rounds)


@contextmanager
def hasty_threads() -> Iterator[None]:
    """Let threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def change_everything(state: AgentState, number: int) -> None:
    """Adopt the other configuration, let its check fail and then pass (each time for all its servers), end a round."""
    wanted = WORLDS[number % 2]
    (check,) = wanted.checks
    state.configuration_adopted(state.prepare(wanted, config_status(digest=check)))
    state.checks_reported([report(check=check, result=FAILED)])
    state.checks_reported([report(check=check, result=Passed())])
    before = state.reconcile
    state.round_ended(
        replace(before, rounds=before.rounds + 1, errors=before.errors + 1),
        decided=state.servers.keys(),
        withdrawn=frozenset(),
        deleted=frozenset(),
    )


def test_no_reader_ever_sees_half_a_change() -> None:
    """While configurations are adopted and servers turn, each snapshot is of one moment in all its parts."""
    state = state_of(WORLDS[0])
    done = threading.Event()

    def read() -> int:
        snapshots = 0
        while not done.is_set():
            check_whole(snapshot_of(state))
            vitals = state.vitals(last_turn_age_s=0.0)
            assert (vitals.checks, vitals.unreported in {0, 1}) == (1, True)
            snapshots += 1
        return snapshots

    with hasty_threads(), ThreadPoolExecutor(READERS) as readers:
        reading = [readers.submit(read) for _ in range(READERS)]
        try:
            for number in range(CHANGES):
                change_everything(state, number)
        finally:
            done.set()
        counts = [one.result(30) for one in reading]

    assert all(counts)


def test_snapshot_stays_what_it_was() -> None:
    """What a reader holds does not change with the state."""
    state = state_of(WORLDS[0])
    state.checks_reported([report(check="even", result=FAILED)])
    before = snapshot_of(state)
    servers, status = dict(before.servers), replace(before.checks[report(check="even").check])
    change_everything(state, 0)
    change_everything(state, 1)

    assert before.servers == servers
    assert before.checks[report(check="even").check] == status
    assert before.config.digest == "even"


RESULTS: st.SearchStrategy[CheckResult] = st.sampled_from([Passed(), FAILED, Errored(ErrorReason.NO_ROUTE)])
NAMES = ("a", "b", "c")
STEPS = st.one_of(
    st.lists(st.tuples(st.sampled_from((*NAMES, "unknown")), RESULTS), max_size=5),
    st.frozensets(st.sampled_from(NAMES)),
)


@given(st.lists(STEPS, max_size=12))
def test_vitals_are_those_of_the_snapshot(steps: list[list[tuple[str, CheckResult]] | frozenset[str]]) -> None:
    """Whatever reports and configurations come: what is counted on the way is what walking all checks would find."""
    state = state_of(intent(services=[virtual_service(real_servers=[real_server(checks=NAMES)])]))
    for step in steps:
        if isinstance(step, frozenset):
            wanted = intent(services=[virtual_service(real_servers=[real_server(checks=sorted(step))])])
            state.configuration_adopted(state.prepare(wanted, config_status()))
        else:
            state.checks_reported([report(check=check, result=result) for check, result in step])

        vitals = state.vitals(last_turn_age_s=0.0)
        assert vitals == snapshot_of(state).vitals
        assert state.all_checked is (vitals.unreported == 0)


def test_configuration_that_cannot_be_prepared_leaves_the_state_as_it_is() -> None:
    """An intent that names a check that is not there fails before anything has changed."""
    state = state_of(WORLDS[0])
    before = snapshot_of(state)
    broken = Intent(services=WORLDS[1].services, checks={})

    with pytest.raises(KeyError):
        state.prepare(broken, config_status(digest="odd"))
    assert snapshot_of(state) == before
