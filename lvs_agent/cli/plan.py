"""``lvs-agent plan``: what would change, without changing it.

The operations are those of the first round that an agent would make which starts now: the same state, from the same
memory and maintenance directory, goes into the same round, which writes nothing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from enum import Enum
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table as Grid

from lvs_agent.cli.options import (
    Ipvs,
    backend_opener,
    config_option,
    ipvs_option,
    procfs_option,
    read_config,
)
from lvs_agent.clock import SystemClock
from lvs_agent.config import Config
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.control.maintenance import read_maintenance
from lvs_agent.control.memory import recall
from lvs_agent.control.reconciling import round_input
from lvs_agent.control.reloading import first_status
from lvs_agent.control.round import RoundResult, perform
from lvs_agent.control.state import AgentState
from lvs_agent.core.describe import describe
from lvs_agent.core.health import Health
from lvs_agent.core.maintenance import checked_servers
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.ipvs.ipvsadm import rules
from lvs_agent.log import LogFormat, LogLevel, configure


class Assume(Enum):
    """What the health of every real server is taken for."""

    UP = "up"
    DOWN = "down"
    KERNEL = "kernel"


_HEALTH = {Assume.UP: Health.UP, Assume.DOWN: Health.DOWN}


class Form(Enum):
    """What is printed."""

    OPERATIONS = "operations"
    IPVSADM = "ipvsadm"


@click.command()
@config_option
@ipvs_option
@procfs_option
@click.option(
    "--assume",
    type=click.Choice([choice.value for choice in Assume]),
    default=Assume.KERNEL.value,
    show_default=True,
    help="Assume that every real server is up or down, or keep each as the kernel has it.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([choice.value for choice in Form]),
    default=Form.OPERATIONS.value,
    show_default=True,
    help="The operations, or the desired table as 'ipvsadm -S -n' would print it.",
)
@click.option("--json", "as_json", is_flag=True, help="The operations as JSON.")
def plan(
    path: Path,
    config_format: str | None,
    ipvs: str,
    procfs: Path,
    assume: str,
    *,
    form: str,
    as_json: bool,
) -> None:
    """Print the operations that would bring the table in sync.  No check runs and nothing is written.

    They are what an agent would do if it started now: servers in the maintenance directory are out of service, and
    services of earlier runs that are no longer configured are deleted.
    """
    config = read_config(path, config_format)
    configure(form=LogFormat.LOGFMT, level=LogLevel.WARNING)
    with unexpected_is_refused(path):
        state = asyncio.run(state_at_start(config, path=path))
    backend = backend_opener(Ipvs(ipvs), procfs=procfs)()
    try:
        planned = dry_round(state, backend, assume=Assume(assume))
    finally:
        backend.close()
    facts = [describe(operation, names=config.intent.names) for operation in planned.pending]
    if as_json:
        click.echo(json.dumps({"operations": facts}, indent=2))
    elif form == Form.IPVSADM.value:
        click.echo("".join(f"{rule}\n" for rule in rules(planned.desired)), nl=False)
    else:
        _show(facts, Console())


async def state_at_start(config: Config, *, path: Path) -> AgentState:
    """What an agent that starts now with ``config`` knows before its first round: its memory, and maintenance."""
    clock = SystemClock()
    state = AgentState(
        clock=clock,
        writes=False,
        intent=config.intent,
        config=first_status(config, path=path, clock=clock),
        memory=recall(config.agent.state_dir),
    )
    state.maintenance_changed(
        await read_maintenance(config.agent.maintenance_dir, servers=checked_servers(config.intent), clock=clock)
    )
    return state


def dry_round(state: AgentState, backend: IpvsBackend, *, assume: Assume) -> RoundResult:
    """The next round of the agent with ``state``, for all services, without writing.  Raises IpvsError.

    ``assume`` KERNEL: real servers have the health that ``state`` has; at a start that is unknown, which keeps what
    the kernel has.
    """
    given = round_input(state, scope=None)
    if assume is not Assume.KERNEL:
        given = replace(given, healths=dict.fromkeys(given.healths, _HEALTH[assume]))
    return perform(backend, replace(given, writes=False))


_STYLES = {"add": "green", "update": "yellow", "delete": "red"}
_COLUMNS = ("operation", "virtual_service", "real_server", "scheduler", "forwarding", "weight", "changed")


def _show(facts: list[dict[str, str | int]], console: Console) -> None:
    if not facts:
        console.print("nothing to do: the table is in sync")
        return
    columns = [column for column in _COLUMNS if any(column in row for row in facts)]
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, no_wrap=True, justify="right" if column == "weight" else "left")
    for row in facts:
        style = _STYLES[str(row["operation"]).partition("_")[0]]
        grid.add_row(*(str(row.get(column, "")) for column in columns), style=style)
    console.print(grid, soft_wrap=True)
    console.print(f"{len(facts)} operation{'' if len(facts) == 1 else 's'}")
