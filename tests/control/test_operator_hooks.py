from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lvs_agent.clock import SystemClock
from lvs_agent.config import load_config
from lvs_agent.control.journal import Journal
from lvs_agent.control.memory import Memory
from lvs_agent.control.operator_hooks import OperatorHooks
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.state import AgentState
from lvs_agent.model.event import EventQuery
from tests.builders import config_status

CONFIG = """
agent = { maintenance_dir = "maintenance" }
[[virtual_service]]
name = "web"
address = "192.0.2.1"
port = 80
[[virtual_service.real_server]]
address = "10.0.0.1"
[[virtual_service.real_server]]
address = "10.0.0.2"
"""


def events_of(directory: Path, memory: Memory, *steps: Callable[[], object]) -> tuple[list[tuple[str, str]], Memory]:
    """What the journal has after a start in ``directory`` and ``steps``, and what the next process remembers."""
    path = directory / "config.toml"
    path.write_text(CONFIG)
    config = load_config(path)
    clock = SystemClock()
    state = AgentState(
        clock=clock,
        writes=True,
        intent=config.intent,
        config=config_status(),
        memory=memory,
    )
    journal = Journal(clock=clock)

    async def scenario() -> None:
        hooks = OperatorHooks(
            state=state,
            reporter=Reporter(journal),
            settings=config.agent,
            maintained_before=memory.maintained,
            clock=clock,
            wake=lambda _: None,
            remember=lambda: None,
        )
        await hooks.first()
        task = asyncio.create_task(hooks.run())
        for step in steps:
            before = state.maintained
            step()
            async with asyncio.timeout(10):
                while state.maintained == before:  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await hooks.finish(frozenset())

    asyncio.run(scenario())
    told = [(event.kind.value, event.real_server) for event in journal.select(EventQuery())]
    assert all(event.virtual_service == "web" for event in journal.select(EventQuery()))
    return told, replace(state.memory(), servers={})


def test_maintenance_is_told_when_it_begins_and_ends_not_when_the_agent_does(tmp_path: Path) -> None:
    """A restart during the work is not reported; what has changed meanwhile is."""
    directory = tmp_path / "maintenance"
    directory.mkdir()
    one, two = directory / "10.0.0.1", directory / "10.0.0.2"
    first, memory = events_of(tmp_path, Memory(), one.touch)
    same, memory = events_of(tmp_path, memory)
    one.unlink()
    two.touch()
    other, memory = events_of(tmp_path, memory)
    last, _ = events_of(tmp_path, memory, two.unlink)

    assert first == [("maintenance_started", "10.0.0.1:80")]
    assert same == []
    assert sorted(other) == [("maintenance_ended", "10.0.0.1:80"), ("maintenance_started", "10.0.0.2:80")]
    assert last == [("maintenance_ended", "10.0.0.2:80")]
