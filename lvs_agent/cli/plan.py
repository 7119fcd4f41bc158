"""``lvs-agent plan``: what would change, without changing it."""

from __future__ import annotations

import json
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
from lvs_agent.control.memory import recall
from lvs_agent.core.decide import Decision, History, decide
from lvs_agent.core.describe import describe
from lvs_agent.core.health import Health
from lvs_agent.core.reconcile import plan as plan_operations
from lvs_agent.ipvs.ipvsadm import rules
from lvs_agent.model.intent import Intent
from lvs_agent.model.ipvs import Table


class Assume(Enum):
    """What the health of every real server is taken for."""

    UP = "up"
    DOWN = "down"
    KERNEL = "kernel"


_HEALTH = {Assume.UP: Health.UP, Assume.DOWN: Health.DOWN, Assume.KERNEL: Health.UNKNOWN}


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
    help="Take every real server for up, for down, or for what the kernel has it in service as.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([choice.value for choice in Form]),
    default=Form.OPERATIONS.value,
    show_default=True,
    help="The operations, or the wanted table as 'ipvsadm -S -n' would print it.",
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
    """Print the operations that would make the table right.  Nothing is checked and nothing is written.

    Services that the agent had in its hands before, and the configuration no longer names, are among them.
    """
    config = read_config(path, config_format)
    intent, memory = config.intent, recall(config.agent.state_dir)
    backend = backend_opener(Ipvs(ipvs), procfs=procfs)()
    try:
        observed = backend.read_table()
    finally:
        backend.close()
    history = History(seen=memory.servers.keys(), withdrawn=memory.withdrawn)
    decision = _decide(intent, observed, Assume(assume), history=history)
    owned = memory.owned | intent.names.keys()
    operations = plan_operations(desired=decision.desired, observed=observed, owned=owned)
    facts = [describe(operation, names=intent.names) for operation in operations]
    if as_json:
        click.echo(json.dumps({"operations": facts}, indent=2))
    elif form == Form.IPVSADM.value:
        click.echo("".join(f"{rule}\n" for rule in rules(decision.desired)), nl=False)
    else:
        _show(facts, Console())


def _decide(intent: Intent, observed: Table, assume: Assume, *, history: History) -> Decision:
    health = _HEALTH[assume]
    healths = {
        (service.service.key, server.key): health for service in intent.services for server in service.real_servers
    }
    return decide(intent, healths=healths, history=history, observed=observed)


_STYLES = {"add": "green", "update": "yellow", "delete": "red"}
_COLUMNS = ("operation", "virtual_service", "real_server", "scheduler", "forwarding", "weight", "changed")


def _show(facts: list[dict[str, str | int]], console: Console) -> None:
    if not facts:
        console.print("nothing to do: the table is as it should be")
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
