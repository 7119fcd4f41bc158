from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lvs_agent.checks.engine.engine import Engine
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.clock import ManualClock
from lvs_agent.config import Config, parse_config
from lvs_agent.control.adopting import Adopting
from lvs_agent.control.journal import Journal
from lvs_agent.control.memory import Memory
from lvs_agent.control.operator_hooks import OperatorHooks
from lvs_agent.control.reconciling import Periods, Reconciling
from lvs_agent.control.reloading import first_status
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.round_requests import RoundRequests
from lvs_agent.control.state import AgentState
from lvs_agent.ipvs.memory import MemoryIpvs

PATH = Path("/etc/lvs-agent/config.toml")
STEPS = {
    "checks": "lvs_agent.checks.engine.schedule.first_run",
    "state": "lvs_agent.control.state.AgentState.configuration_adopted",
    "hooks": "lvs_agent.control.operator_hooks.OperatorHooks.adopt",
    "requests": "lvs_agent.control.round_requests.RoundRequests.wake",
}


def config(interval: str) -> Config:
    """One server, checked each ``interval``, and a table read each 10 of them."""
    return parse_config(
        f"""
        agent.reconcile_interval = "{interval}"
        [[virtual_service]]
        address = "192.0.2.1"
        port = 80
        check = {{ type = "tcp", interval = "{interval}" }}
        real_server = [{{ address = "10.0.0.1" }}]
        """,
        base=PATH.parent,
    )


class Bench:
    """The parts that a configuration goes into."""

    def __init__(self, first: Config) -> None:
        self.clock = ManualClock()
        reporter, requests = Reporter(Journal(clock=self.clock)), RoundRequests()
        status = first_status(first, path=PATH, clock=self.clock)
        self.state = AgentState(clock=self.clock, writes=True, intent=first.intent, config=status, memory=Memory())
        self.engine = Engine(clock=self.clock, report=lambda _: None, resources=ProbeResources())
        self.engine.configure(first.intent.checks.values())
        hooks = OperatorHooks(
            state=self.state,
            reporter=reporter,
            settings=first.agent,
            maintained_before=frozenset(),
            clock=self.clock,
            wake=requests.wake,
            remember=lambda: None,
        )
        self.reconciling = Reconciling(
            backend=MemoryIpvs(),
            state=self.state,
            reporter=reporter,
            requests=requests,
            clock=self.clock,
            periods=Periods.of(first.agent),
            remember=lambda: None,
            decided=lambda _: None,
        )
        self.adopting = Adopting(
            first,
            state=self.state,
            hooks=hooks,
            reconciling=self.reconciling,
            requests=requests,
            configure=self.engine.configure,
        )

    def adopt(self, new: Config) -> None:
        """Put ``new`` in force."""
        self.adopting.adopt(new, first_status(new, path=PATH, clock=self.clock))

    @property
    def in_force(self) -> tuple[object, ...]:
        """What each part follows."""
        return (
            self.adopting.config,
            self.state.intent,
            self.state.config,
            self.state.checks.keys(),
            frozenset(self.engine._checks),
            self.reconciling.periods,
        )


def test_every_part_follows_a_new_configuration() -> None:
    """Checks, state and periods are those of the new one."""

    async def scenario() -> None:
        bench, new = Bench(config("1s")), config("2s")
        bench.adopt(new)

        assert bench.adopting.config is new
        assert bench.state.intent is new.intent
        assert bench.in_force[3] == bench.in_force[4] == new.intent.checks.keys()
        assert bench.reconciling.periods.reconcile_s == 2.0

    asyncio.run(scenario())


@pytest.mark.parametrize("step", STEPS)
def test_failure_at_any_step_leaves_every_part_as_it_was(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """No part follows a configuration that the others do not know, wherever something unexpected happens."""

    def fail_once(*_: object, **__: object) -> None:
        patch.undo()
        raise OverflowError(step)

    async def scenario() -> None:
        bench = Bench(config("1s"))
        before = bench.in_force
        patch.setattr(STEPS[step], fail_once)
        with pytest.raises(OverflowError, match=step):
            bench.adopt(config("2s"))

        assert bench.in_force == before

    with monkeypatch.context() as patch:
        asyncio.run(scenario())
