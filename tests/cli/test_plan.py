"""``lvs-agent plan`` shows what the agent would do: held to the agent's own parts, whatever they find."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvs_agent.cli.plan import Assume, dry_round, state_at_start
from lvs_agent.clock import SystemClock
from lvs_agent.config import Config, load_config
from lvs_agent.control.checking import Checking
from lvs_agent.control.journal import Journal
from lvs_agent.control.memory import Memory, recall, remember
from lvs_agent.control.operator_hooks import OperatorHooks
from lvs_agent.control.reconciling import Periods, Reconciling
from lvs_agent.control.reloading import first_status
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.round_requests import RoundRequests
from lvs_agent.control.state import AgentState
from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import ServerStatus
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.check import CheckId, CheckReport, Failed, FailureReason, Passed
from lvs_agent.model.intent import Initial, Intent, OnDown
from lvs_agent.model.ipvs import AddDestination, AddService, Operation, Table
from tests.builders import (
    NOW,
    check_spec,
    destination,
    intent,
    real_server,
    report,
    service,
    service_entry,
    service_key,
    table,
    virtual_service,
)
from tests.cli.commands import here

ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
PORTS = (80, 81)


@dataclass(frozen=True, slots=True, kw_only=True)
class Director:
    """Everything that a start finds: the configuration, the table, what was remembered, and files of maintenance."""

    intent: Intent
    table: Table
    memory: Memory
    files: frozenset[str]


@st.composite
def directors(draw: st.DrawFn) -> Director:
    """Services that are configured, were configured before, or are somebody else's, and anything in the table."""
    pairs = [(service_key(port=port), destination(address=address).key) for port in PORTS for address in ADDRESSES]
    known = draw(st.sets(st.sampled_from(pairs)))
    return Director(
        intent=draw(intents()),
        table=draw(tables()),
        memory=Memory(
            owned=frozenset(draw(st.sets(st.sampled_from([service_key(port=port) for port in (*PORTS, 82)])))),
            servers={pair: ServerStatus(draw(st.sampled_from(Health)), NOW) for pair in sorted(known, key=str)},
            withdrawn=frozenset(draw(st.sets(st.sampled_from(pairs)))),
        ),
        files=frozenset(draw(st.sets(st.sampled_from([*ADDRESSES, *(f"{one}:80" for one in ADDRESSES), "notes"])))),
    )


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    """A configuration: every server has a check of its own, some have one that lowers their weight."""
    services = [
        virtual_service(
            name=f"service-{port}",
            service=service(key=service_key(port=port)),
            real_servers=[
                replace(
                    real_server(
                        address=address,
                        weight=draw(st.integers(0, 4)),
                        checks=[f"{port}-{address}"],
                        on_down=draw(st.sampled_from(OnDown)),
                        initial=draw(st.sampled_from(Initial)),
                        readd_quiesced=draw(st.booleans()),
                    ),
                    lowering=((CheckId(f"{port}-{address}-load"), 50),) if draw(st.booleans()) else (),
                )
                for address in draw(st.lists(st.sampled_from(ADDRESSES), unique=True))
            ],
            sorry_server=destination(address="10.0.0.99") if draw(st.booleans()) else None,
        )
        for port in draw(st.lists(st.sampled_from(PORTS), unique=True))
    ]
    names = {check for one in services for server in one.real_servers for check in server.all_checks}
    specs = [replace(check_spec(name=name, port=80), gives_weight=True) for name in sorted(names)]
    return intent(services=services, checks=specs)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """What the kernel may have: rows of any of these services, with any weight."""
    return table(
        *(
            service_entry(
                service=service(key=service_key(port=port), scheduler=draw(st.sampled_from(["wrr", "rr"]))),
                destinations=[
                    destination(address=address, weight=draw(st.integers(0, 2)))
                    for address in draw(st.lists(st.sampled_from([*ADDRESSES, "10.0.0.99"]), unique=True))
                ],
            )
            for port in draw(st.lists(st.sampled_from([*PORTS, 82, 83]), unique=True))
        )
    )


def kernel_with(rows: Table) -> MemoryIpvs:
    """A table in memory with these rows."""
    kernel = MemoryIpvs()
    for entry in rows.entries.values():
        kernel.apply(AddService(entry.service))
        for row in entry.destinations.values():
            kernel.apply(AddDestination(entry.service.key, row))
    return kernel


class Agent:
    """The agent's own parts, as far as they decide, put together as the daemon does it."""

    def __init__(self, config: Config, kernel: MemoryIpvs, *, path: Path) -> None:
        clock = SystemClock()
        memory = recall(config.agent.state_dir)
        self.state = AgentState(
            clock=clock,
            writes=False,
            intent=config.intent,
            config=first_status(config, path=path, clock=clock),
            memory=memory,
        )
        reporter = Reporter(Journal(clock=clock))
        self._requests = RoundRequests()
        self._hooks = OperatorHooks(
            state=self.state,
            reporter=reporter,
            settings=config.agent,
            maintained_before=memory.maintained,
            clock=clock,
            wake=lambda _: None,
            remember=lambda: None,
        )
        self._checking = Checking(state=self.state, reporter=reporter, wake=lambda _: None)
        self._reconciling = Reconciling(
            backend=kernel,
            state=self.state,
            reporter=reporter,
            requests=self._requests,
            clock=clock,
            periods=Periods(reconcile_s=60.0, compare_s=60.0),
            remember=lambda: None,
            decided=lambda _: None,
        )

    async def learn(self, reports: list[CheckReport]) -> None:
        """Start, and take ``reports``."""
        await self._hooks.first()
        self._checking.take(reports)

    async def first_round(self) -> tuple[Operation, ...]:
        """What the first round would do; the last thing that is asked."""
        self._requests.wake()
        await self._reconciling.round()
        self._reconciling.close()
        await self._hooks.finish(frozenset())
        return self.state.reconcile.pending


def reports_that(wanted: Intent, assume: Assume) -> list[CheckReport]:
    """Results after which every check says what is assumed."""
    match assume:
        case Assume.UP:
            return [report(check=check, result=Passed()) for check in wanted.checks]
        case Assume.DOWN:
            refused = Failed(FailureReason.REFUSED)
            return [report(check=id_, result=refused) for id_, spec in wanted.checks.items() for _ in range(spec.fall)]
        case Assume.KERNEL:
            return []


@cache
def plain_config() -> Config:
    """A configuration without a service."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "config.toml"
        path.write_text("")
        return load_config(path)


def config_of(director: Director, directory: Path) -> Config:
    """The director's configuration, with what it remembers and its maintenance directory below ``directory``."""
    state_dir, maintenance_dir = directory / "state", directory / "maintenance"
    for made in (state_dir, maintenance_dir):
        made.mkdir()
    remember(director.memory, state_dir)
    for file in director.files:
        (maintenance_dir / file).touch()
    plain = plain_config()
    agent = replace(plain.agent, state_dir=state_dir, maintenance_dir=maintenance_dir)
    return replace(plain, intent=director.intent, agent=agent)


@pytest.mark.parametrize("assume", Assume)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(director=directors())
def test_plan_is_what_an_agent_that_starts_would_do(assume: Assume, director: Director) -> None:
    """Whatever is configured, remembered, in the table and in maintenance: the operations of its first round."""
    with TemporaryDirectory() as place:
        path = Path(place) / "config.toml"
        config = config_of(director, Path(place))

        async def both() -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
            planned = dry_round(await state_at_start(config, path=path), kernel_with(director.table), assume=assume)
            agent = Agent(config, kernel_with(director.table), path=path)
            await agent.learn(reports_that(config.intent, assume))
            return planned.pending, await agent.first_round()

        planned, done = asyncio.run(both())

    assert planned == done


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(director=directors(), data=st.data())
def test_plan_of_a_state_is_what_the_agent_with_that_state_would_do(director: Director, data: st.DataObject) -> None:
    """Shares included: of an agent that has any results, its next round."""
    results = st.none() | st.just(Failed(FailureReason.REFUSED)) | st.builds(
        lambda share: Passed(weight_percent=share), st.none() | st.integers(0, 100)
    )  # fmt: skip
    drawn = {check: data.draw(results) for check in director.intent.checks}
    reports = [
        report(check=check, result=result)
        for check, result in drawn.items()
        if result is not None
        for _ in range(director.intent.checks[check].fall)
    ]
    with TemporaryDirectory() as place:
        config = config_of(director, Path(place))

        async def both() -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
            agent = Agent(config, kernel_with(director.table), path=Path(place) / "config.toml")
            await agent.learn(reports)
            planned = dry_round(agent.state, kernel_with(director.table), assume=Assume.KERNEL)
            return planned.pending, await agent.first_round()

        planned, done = asyncio.run(both())

    assert planned == done


def test_plan_reads_the_maintenance_directory(tmp_path: Path) -> None:
    """A server that an operator has taken out of service is not added, whatever is assumed of it."""
    (tmp_path / "maintenance").mkdir()
    (tmp_path / "maintenance" / "10.0.0.1").touch()
    config = tmp_path / "config.toml"
    config.write_text(
        'agent = { maintenance_dir = "maintenance", state_dir = "state" }\n'
        '[[virtual_service]]\nname = "web"\naddress = "192.0.2.1"\nport = 80\n'
        '[[virtual_service.real_server]]\naddress = "10.0.0.1"\n'
        '[[virtual_service.real_server]]\naddress = "10.0.0.2"\n'
    )
    run = here("plan", "--ipvs", "memory", "--config", config, "--assume", "up", "--json")

    assert [one.get("real_server") for one in json.loads(run.stdout)["operations"]] == [None, "10.0.0.2:80"]


def test_plan_says_that_the_maintenance_directory_cannot_be_read(tmp_path: Path) -> None:
    """On standard error, so that a program that reads the operations is not disturbed."""
    config = tmp_path / "config.toml"
    config.write_text('agent = { maintenance_dir = "missing" }\n')
    run = here("plan", "--ipvs", "memory", "--config", config, "--json")

    assert json.loads(run.stdout) == {"operations": []}
    assert "maintenance_directory_not_read" in run.stderr


def test_configuration_that_cannot_be_put_in_force_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the agent would refuse at its start is an error of the configuration here too, and no traceback."""

    def fail(*_: object, **__: object) -> None:
        raise OverflowError("too large")

    path = tmp_path / "config.toml"
    path.write_text(f'agent.state_dir = "{tmp_path}"\n')
    monkeypatch.setattr("lvs_agent.control.state.adoption_of", fail)
    run = here("plan", "--ipvs", "memory", "--config", path)

    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {path}: internal error: OverflowError: too large")
