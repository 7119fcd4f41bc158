"""``lvs-agent status``: what a running agent knows, in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lvs_agent.cli.client import AgentClient, agent_options
from lvs_agent.errors import NoAnswer
from lvs_agent.web.document import SCHEMA, Check, ForeignService, RealServer, Row, Service, ServiceRow, StatusDocument

_DOCUMENT = TypeAdapter(StatusDocument)
_PATH = "/api/v1/status"
_PLAIN_WIDTH = 10_000
"""Wide enough that a line for another program is never wrapped."""
_ROOMY_WIDTH = 120
"""Narrower terminals are not told since when."""
_COLOURS = {
    "up": "green",
    "down": "bold red",
    "unknown": "yellow",
    "active": "bold yellow",
    "foreign": "cyan",
    "maintenance": "magenta",
}


@click.command()
@agent_options
@click.option("--json", "as_json", is_flag=True, help="The whole answer of /api/v1/status.")
def status(agent: AgentClient, *, as_json: bool) -> None:
    """Show what a running agent knows of its services and servers.

    An agent that was started with another --listen than its configuration says is found where LVS_AGENT_LISTEN says, or
    by --url.
    """
    document = fetch_status(agent)
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        show_status(document)


def fetch_status(agent: AgentClient) -> StatusDocument:
    """The status of ``agent``.  Raises NoAnswer."""
    return _read(agent.url, agent.get(_PATH))


def _read(url: str, body: bytes) -> StatusDocument:
    try:
        document = _DOCUMENT.validate_json(body)
    except ValidationError as error:
        raise NoAnswer(f"{url} answers, but not with the status of an lvs-agent; see --url") from error
    if document["schema"] != SCHEMA:
        raise NoAnswer(f"{url} has a status of version {document['schema']}, not {SCHEMA}: use its own lvs-agent")
    return document


def show_status(document: StatusDocument) -> None:
    """Print ``document`` to standard output: for people on a terminal, plain text elsewhere."""
    render_status(document, console=Console(highlight=False))


def render_status(document: StatusDocument, *, console: Console) -> None:
    """Print ``document``.  Colour only repeats what words say; without a terminal lines are never wrapped."""
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    for line in _summary(document):
        console.print(line, soft_wrap=True)
    for service in document["services"]:
        console.print()
        console.print(_service_line(service), soft_wrap=True)
        console.print(_servers(service, roomy=console.width >= _ROOMY_WIDTH))
    for foreign in document["foreign_services"]:
        console.print()
        console.print(_heading(foreign).append(" · ").append("foreign", _COLOURS["foreign"]), soft_wrap=True)
        console.print(_destinations(foreign))


def _summary(document: StatusDocument) -> Iterator[Text]:
    agent, reconcile = document["agent"], document["reconcile"]
    ready = Text("ready", "green") if agent["ready"] else Text(f"not ready: {', '.join(agent['missing'])}", "yellow")
    writes = Text("keeps the table right" if agent["writes"] else "only observes", "" if agent["writes"] else "yellow")
    yield Text(" · ").join([Text(f"lvs-agent {agent['version']}", "bold"), ready, writes])
    for problem in agent["config"]["problems"]:
        yield _said(f"configuration not loaded: {problem}", "red")
    for warning in agent["config"]["warnings"]:
        yield _said(f"configuration: {warning}", "yellow")
    if reconcile["last_error"]:
        yield _said(f"table not right: {reconcile['last_error']}", "red")
    if not document["kernel_read"]:
        yield Text("the kernel's statistics could not be read", "yellow")


def _heading(service: ServiceRow) -> Text:
    line = Text().append(_said(service["name"], "bold"))
    if service["name"] != service["key"]:
        line.append(f" {service['key']}")
    facts = [service["scheduler"], *service["flags"]]
    return line.append(f" {' '.join(facts)}", "dim")


def _service_line(service: Service) -> Text:
    reached = service["quorum_reached"]
    line = _heading(service).append(" · ")
    line.append(f"{service['up']} of {len(service['real_servers'])} up", _COLOURS["up" if reached else "down"])
    line.append("" if reached else f", quorum {service['quorum']} not reached", _COLOURS["down"])
    if service["in_kernel"] is False:
        line.append(" · not in the kernel's table", _COLOURS["down"])
    if service["sorry_server"] and service["sorry_server"]["active"]:
        line.append(" · sorry server active", _COLOURS["active"])
    if service["comment"]:
        line.append(" · ").append(_said(service["comment"], "dim"))
    return line


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        number = column in {"WEIGHT", "KERNEL", "ACTIVE", "INACTIVE"}
        table.add_column(column, justify="right" if number else "left", no_wrap=column != "LAST CHECK", overflow="fold")
    return table


def _servers(service: Service, *, roomy: bool) -> Table:
    since = ("SINCE",) if roomy else ()
    table = _table("REAL SERVER", "STATE", "POOL", "WEIGHT", "KERNEL", "ACTIVE", "INACTIVE", *since, "LAST CHECK")
    for server in service["real_servers"]:
        word = "maintenance" if server["membership"] == "maintenance" else server["health"]
        state = Text(word, _COLOURS[word])
        times = (_instant(server["since"]),) if roomy else ()
        pool = _said(server["membership"] or "-")
        table.add_row(_said(server["name"]), state, pool, *_numbers(server), *times, _last_checks(server))
    if sorry := service["sorry_server"]:
        state = Text("active", _COLOURS["active"]) if sorry["active"] else Text("standby")
        table.add_row(_said(sorry["name"]), state, "sorry server", *_numbers(sorry))
    for row in service["unexpected"]:
        table.add_row(_said(row["name"]), Text("foreign", _COLOURS["foreign"]), "unexpected", *_numbers(row))
    return table


def _destinations(service: ForeignService) -> Table:
    table = _table("DESTINATION", "FORWARDING", "KERNEL", "ACTIVE", "INACTIVE")
    for row in service["destinations"]:
        table.add_row(_said(row["name"]), _said(row["forwarding"]), *_numbers(row)[1:])
    return table


def _numbers(row: Row) -> tuple[str, str, str, str]:
    connections = row["connections"]
    return (
        _number(row["weight"]["wanted"]),
        _number(row["weight"]["kernel"]),
        _number(connections["active"] if connections else None),
        _number(connections["inactive"] if connections else None),
    )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _instant(text: str | None) -> str:
    return "-" if text is None else f"{text[:10]} {text[11:19]}Z"


def _last_checks(server: RealServer) -> Text:
    return Text("; ").join(_last_check(check) for check in server["checks"])


def _last_check(check: Check) -> Text:
    last = check["last"]
    if last is None:
        return Text(f"{check['kind']} has not run yet", _COLOURS["unknown"])
    words = " ".join([check["kind"], last["result"], *([last["reason"]] if last["reason"] else [])])
    detail = f" ({last['detail']})" if last["detail"] else ""
    return _said(f"{words}{detail}, {last['duration_s'] * 1000:.1f} ms")


def _said(text: str, style: str = "") -> Text:
    """Text from elsewhere: what a server answers must not steer the terminal."""
    return Text("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text), style)
