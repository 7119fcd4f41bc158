"""The status in a terminal: what ``status`` prints.  Colour only repeats what words say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lvs_agent.core.instant import parse_rfc3339
from lvs_agent.one_line import one_line
from lvs_agent.view.spans import amount, span
from lvs_agent.web.document import Check, ForeignService, RealServer, Row, Service, ServiceRow, StatusDocument

ROOMY_WIDTH, WIDE_WIDTH = 120, 150
"""From the first on there is room for since when, from the second on for rates."""
RECENT = 8
"""How many transitions are shown."""
COLOURS = {
    "up": "green",
    "down": "bold red",
    "below_quorum": "bold red",
    "unknown": "yellow",
    "active": "bold yellow",
    "standby": "",
    "foreign": "cyan",
    "maintenance": "magenta",
}
_NUMBERS = frozenset({"WEIGHT", "KERNEL", "ACTIVE", "INACTIVE", "NEW/s", "IN", "OUT"})


def status_text(document: StatusDocument, *, width: int, worst_first: bool = False) -> RenderableType:
    """All of ``document`` for a terminal of ``width`` columns; with ``worst_first`` the services that are not up come
    before the others.
    """
    services = document["services"]
    if worst_first:
        services = sorted(services, key=_badness)
    parts: list[RenderableType] = [_line(line) for line in _summary(document)]
    for service in services:
        parts += ["", _line(_service_line(service)), _servers(service, document, width=width)]
    for foreign in document["foreign_services"]:
        parts += ["", _line(_heading(foreign).append(" · ").append("foreign", COLOURS["foreign"]))]
        parts.append(_destinations(foreign, width=width))
    if document["recent"]:
        parts += ["", Text("CHANGED LAST", "dim"), *(_line(line) for line in _recent(document))]
    return Group(*parts)


def _badness(service: Service) -> int:
    if service["state"] != "up":
        return 0 if service["state"] == "down" else 1
    return 2 if any(server["state"] in {"down", "unknown"} for server in service["real_servers"]) else 3


def _line(text: Text) -> Text:
    """A line that is folded where it must be, and at no word."""
    text.overflow = "fold"
    return text


def _summary(document: StatusDocument) -> Iterator[Text]:
    agent, reconcile = document["agent"], document["reconcile"]
    ready = Text("ready", "green") if agent["ready"] else Text(f"not ready: {', '.join(agent['missing'])}", "yellow")
    writes = Text("keeps the table in sync") if agent["writes"] else Text("only observes", "yellow")
    config = Text(f"configuration {agent['config']['digest'][:8]} of {_instant(agent['config']['loaded'])}", "dim")
    yield Text(" · ").join([Text(f"lvs-agent {agent['version']}", "bold"), ready, writes, config])
    for problem in agent["config"]["problems"]:
        yield said(f"configuration not loaded: {problem}", "red")
    for warning in agent["config"]["warnings"]:
        yield said(f"configuration: {warning}", "yellow")
    if reconcile["last_error"]:
        yield said(f"table not in sync: {reconcile['last_error']}", "red")
    if not document["kernel_read"]:
        yield Text("the kernel's statistics could not be read", "yellow")


def _heading(service: ServiceRow) -> Text:
    line = Text().append(said(service["name"], "bold"))
    if service["name"] != service["key"]:
        line.append(f" {service['key']}")
    facts = [service["scheduler"], *service["flags"]]
    return line.append(f" {' '.join(facts)}", "dim")


def _service_line(service: Service) -> Text:
    reached = service["quorum_reached"]
    line = _heading(service).append(" · ")
    line.append(f"{service['up']} of {len(service['real_servers'])} up", COLOURS["up" if reached else "down"])
    line.append("" if reached else f", quorum {service['quorum']} not reached", COLOURS["down"])
    if service["in_kernel"] is False:
        line.append(" · not in the kernel's table", COLOURS["down"])
    if service["sorry_server"] and service["sorry_server"]["active"]:
        line.append(" · sorry server active", COLOURS["active"])
    if rates := service["rates"]:
        carried = f"{amount(rates['connections_per_s'])} new/s, in {amount(rates['incoming_bytes_per_s'], 'B/s')}"
        line.append(f" · {carried}, out {amount(rates['outgoing_bytes_per_s'], 'B/s')}")
    if service["comment"]:
        line.append(" · ").append(said(service["comment"], "dim"))
    return line


# --- tables ------------------------------------------------------------------------------------------------------


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        number = column in _NUMBERS
        table.add_column(column, justify="right" if number else "left", no_wrap=column != "LAST CHECK", overflow="fold")
    return table


def _servers(service: Service, document: StatusDocument, *, width: int) -> Table:
    wide = width >= WIDE_WIDTH
    rates = ("NEW/s", "IN", "OUT") if wide else ()
    since = ("SINCE",) if width >= ROOMY_WIDTH else ()
    table = _table(
        "REAL SERVER", "STATE", "POOL", "WEIGHT", "KERNEL", "ACTIVE", "INACTIVE", *rates, *since, "LAST CHECK"
    )
    for server in service["real_servers"]:
        times = (_since(server, document),) if since else ()
        table.add_row(*_row(server, server["membership"] or "-", wide=wide), *times, _last_checks(server))
    if sorry := service["sorry_server"]:
        table.add_row(*_row(sorry, "sorry server", wide=wide))
    for row in service["unexpected"]:
        table.add_row(*_row(row, "unexpected", wide=wide))
    return table


def _destinations(service: ForeignService, *, width: int) -> Table:
    wide = width >= WIDE_WIDTH
    table = _table(
        "DESTINATION", "FORWARDING", "KERNEL", "ACTIVE", "INACTIVE", *(("NEW/s", "IN", "OUT") if wide else ())
    )
    for row in service["destinations"]:
        table.add_row(said(row["name"]), said(row["forwarding"]), *_numbers(row, wide=wide)[1:])
    return table


def _row(row: Row, pool: str, *, wide: bool) -> Sequence[Text | str]:
    return said(row["name"]), Text(row["state"], COLOURS[row["state"]]), said(pool), *_numbers(row, wide=wide)


def _numbers(row: Row, *, wide: bool) -> Sequence[str]:
    connections, rates = row["connections"], row["rates"]
    numbers = (
        _number(row["weight"]["wanted"]),
        _number(row["weight"]["kernel"]),
        _number(connections["active"] if connections else None),
        _number(connections["inactive"] if connections else None),
    )
    if not wide:
        return numbers
    if rates is None:
        return (*numbers, "-", "-", "-")
    in_and_out = (amount(rates[name], "B/s") for name in ("incoming_bytes_per_s", "outgoing_bytes_per_s"))
    return (*numbers, amount(rates["connections_per_s"]), *in_and_out)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _instant(text: str | None) -> str:
    return "-" if text is None else f"{text[:10]} {text[11:19]}Z"


def _since(server: RealServer, document: StatusDocument) -> str:
    """Since when its health is what it is; said with it where the state is another word."""
    since = server["since"]
    if since is None:
        return "-"
    word = "" if server["state"] == server["health"] else f"{server['health']} "
    return f"{word}{_instant(since)}, {span(parse_rfc3339(document['taken']) - parse_rfc3339(since))}"


def _last_checks(server: RealServer) -> Text:
    return Text("; ").join(_last_check(check) for check in server["checks"])


def _last_check(check: Check) -> Text:
    last = check["last"]
    if last is None:
        return Text(f"{check['kind']} has not run yet", COLOURS["unknown"])
    words = " ".join([check["kind"], last["result"], *([last["reason"]] if last["reason"] else [])])
    detail = f" ({last['detail']})" if last["detail"] else ""
    return said(f"{words}{detail}, {span(last['duration_s'])}")


def _recent(document: StatusDocument) -> Iterator[Text]:
    """The last transitions, newest first."""
    for event in reversed(document["recent"][-RECENT:]):
        yield Text(_instant(event["at"]), "dim").append("  ").append(said(event["text"], ""))


def said(text: str, style: str = "") -> Text:
    """Text from elsewhere."""
    return Text(one_line(text), style)
