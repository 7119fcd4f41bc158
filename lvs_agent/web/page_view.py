"""What the status page shows of the status, and in which order.  Pure.

Rules of this file:

1. What is wrong comes first: as a list, and the services that it is about before the others.
2. A service in which all is well is closed where there are many; one in which something is wrong is open.
3. No more rows are written than ``ROWS``: a service whose rows are left out says so, and shows them when it is asked
   for by name.
4. A filter looks at everything, whatever is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from lvs_agent.core.instant import parse_rfc3339
from lvs_agent.view.spans import ago, plural
from lvs_agent.web.document import Check, ForeignService, RealServer, Row, Service, StatusDocument

ROWS = 300
"""How many real servers are written without being asked for."""
ROWS_OF_ONE = 100
"""How many of them may belong to one service."""
FEW_SERVICES, FEW_ROWS = 6, 60
"""So few are all open."""
MOST_PROBLEMS = 30

Gravity = Literal["bad", "warn"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an operator must see.  ``anchor``: the service that it is about, by its key."""

    gravity: Gravity
    text: str
    anchor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One service on the page.  ``rows`` are those that are written, of ``count``; ``wrong``: something in it is."""

    service: Service
    rows: Sequence[RealServer]
    count: int
    wrong: bool
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the tiles say.  ``states`` counts real servers by state; None is not known."""

    servers: int
    states: Counter[str]
    quorate: int
    connections: int | None
    connections_per_s: int | None
    incoming_bytes_per_s: int | None
    outgoing_bytes_per_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """The page.  ``filtered``: the filter leaves something out.  ``no_rates``: the kernel was read, but keeps none."""

    totals: Totals
    problems: Sequence[Problem]
    more_problems: int
    services: Sequence[ServiceView]
    foreign: Sequence[ForeignService]
    filtered: bool
    no_rates: bool


def view_page(document: StatusDocument, *, asked: AbstractSet[str] = frozenset(), filtered_by: str = "") -> PageView:
    """What the page shows.  ``asked``: names of services that are to be shown whole; ``filtered_by``: words that
    everything shown must have in it.
    """
    words = filtered_by.casefold().split()
    matching = [(service, _matching(service, words)) for service in document["services"]]
    kept = [(service, rows) for service, rows in matching if rows is not None]
    wrong = {service["key"] for service, _ in kept if _is_wrong(service)} | _drifted(document)
    kept.sort(key=lambda pair: _rank(pair[0], wrong))
    problems = [*_problems(document)]
    every = [*document["services"], *document["foreign_services"]]
    return PageView(
        totals=_totals(document["services"]),
        problems=problems[:MOST_PROBLEMS],
        more_problems=len(problems[MOST_PROBLEMS:]),
        services=_cut(kept, wrong=wrong, asked=asked, all_open=bool(words)),
        foreign=[one for one in document["foreign_services"] if _all_in(words, _service_text(one))],
        filtered=bool(words),
        no_rates=document["kernel_read"] and bool(every) and all(one["rates"] is None for one in every),
    )


# --- which services, and which of their rows ---------------------------------------------------------------------


def _matching(service: Service, words: list[str]) -> Sequence[RealServer] | None:
    """The rows that the filter leaves; None where it leaves nothing of the service."""
    text = _service_text(service)
    if _all_in(words, text):
        return service["real_servers"]
    rows = [row for row in service["real_servers"] if _all_in(words, f"{text} {_row_text(row)}")]
    return rows or None


def _service_text(service: Service | ForeignService) -> str:
    state = service["state"].replace("_", " ")
    return f"{service['name']} {service['key']} {state} {service.get('comment', '')}".casefold()


def _row_text(row: RealServer) -> str:
    return f"{row['name']} {row['address']}:{row['port']} {row['state']} {row['membership'] or ''}".casefold()


def _all_in(words: list[str], text: str) -> bool:
    return all(word in text for word in words)


def _is_wrong(service: Service) -> bool:
    return (
        service["state"] != "up"
        or service["in_kernel"] is False
        or bool(service["unexpected"])
        or any(row["state"] in {"down", "unknown"} for row in service["real_servers"])
    )


def _drifted(document: StatusDocument) -> set[str]:
    names = {drift["virtual_service"] for drift in document["reconcile"]["drift"]}
    return {service["key"] for service in document["services"] if service["name"] in names}


def _rank(service: Service, wrong: AbstractSet[str]) -> int:
    """Services that cannot serve first, then those that can but have something wrong; sorting keeps the rest."""
    if service["state"] != "up":
        return 0 if service["state"] == "down" else 1
    return 2 if service["key"] in wrong else 3


def _cut(
    kept: Sequence[tuple[Service, Sequence[RealServer]]],
    *,
    wrong: AbstractSet[str],
    asked: AbstractSet[str],
    all_open: bool,
) -> list[ServiceView]:
    few = len(kept) <= FEW_SERVICES and sum(len(rows) for _, rows in kept) <= FEW_ROWS
    left, views = ROWS, []
    for service, rows in kept:
        is_asked = service["name"] in asked
        is_wrong = service["key"] in wrong
        shown = rows if is_asked else _most_telling(rows, min(left, ROWS_OF_ONE))
        left -= 0 if is_asked else len(shown)
        views.append(
            ServiceView(
                service=service,
                rows=shown,
                count=len(rows),
                wrong=is_wrong,
                open=is_asked or (bool(shown or not rows) and (few or is_wrong or all_open)),
            )
        )
    return views


def _most_telling(rows: Sequence[RealServer], most: int) -> Sequence[RealServer]:
    """At most so many of ``rows``: all of them as they are, or those that are not up first."""
    if len(rows) <= most:
        return rows
    return sorted(rows, key=lambda row: row["state"] == "up")[:most]


# --- what is wrong -----------------------------------------------------------------------------------------------


def _problems(document: StatusDocument) -> Iterator[Problem]:
    config, reconcile = document["agent"]["config"], document["reconcile"]
    if not document["kernel_read"]:
        yield Problem(
            "bad", f"The kernel's statistics could not be read; rows are those of the last round{_when(document)}"
        )
    for problem in config["problems"]:
        yield Problem("bad", f"The configuration was not loaded: {problem}")
    if reconcile["last_error"]:
        yield Problem("bad", f"The last round failed: {reconcile['last_error']}")
    yield from _service_problems(document["services"])
    for service in document["services"]:
        yield from _server_problems(service)
    yield from _table_problems(document)
    for warning in config["warnings"]:
        yield Problem("warn", f"Configuration: {warning}")


def _when(document: StatusDocument) -> str:
    """When the last round was made that went well, if any was."""
    last = document["reconcile"]["last_success"]
    return "" if last is None else f", {ago(parse_rfc3339(document['taken']) - parse_rfc3339(last))}"


def _service_problems(services: Iterable[Service]) -> Iterator[Problem]:
    for service in sorted(services, key=lambda one: one["state"] != "down"):
        name, up, count = service["name"], service["up"], len(service["real_servers"])
        sorry = service["sorry_server"]
        sorry_active = "; its sorry server is active" if sorry and sorry["active"] else ""
        if service["state"] == "down":
            yield Problem(
                "bad", f"{name} is down: none of {plural(count, 'real server')} is up{sorry_active}", service["key"]
            )
        elif service["state"] == "below_quorum":
            text = (
                f"{name} is below its quorum: {up} of {count} real servers up, quorum {service['quorum']}{sorry_active}"
            )
            yield Problem("bad", text, service["key"])
        elif service["state"] == "unknown" and up:
            up_of = f"{up} of {count} real servers up, quorum {service['quorum']}"
            yield Problem("bad", f"It is not known whether {name} reaches its quorum: {up_of}", service["key"])
        elif sorry_active:
            yield Problem("bad", f"{name} has no real server with a weight above 0{sorry_active}", service["key"])
        if service["in_kernel"] is False:
            yield Problem("bad", f"{name} is not in the kernel's table", service["key"])


def _server_problems(service: Service) -> Iterator[Problem]:
    for server in service["real_servers"]:
        called = f"{server['name']} of {service['name']}"
        if server["state"] == "down" and service["state"] != "down":
            reason = failure(server)
            yield Problem("warn", f"{called} is down{': ' if reason else ''}{reason}", service["key"])
        for check in server["checks"]:
            last = check["last"]
            if last is not None and last["result"] == "errored":
                what = f"The {check['kind']} check of {called} could not run"
                yield Problem("warn", f"{what}; this is not the server's fault: {last['reason']}", service["key"])


def failure(server: RealServer) -> str:
    """Why the server is down: what its first check says that is; empty where none says it any more."""
    return next((said(check) for check in server["checks"] if check["health"] == "down"), "")


def said(check: Check) -> str:
    """``http failed: status (status 503)``."""
    last = check["last"]
    if last is None:
        return f"{check['kind']} has not run yet"
    reason = f": {last['reason']}" if last["reason"] else ""
    detail = f" ({last['detail']})" if last["detail"] else ""
    return f"{check['kind']} {last['result']}{reason}{detail}"


def _table_problems(document: StatusDocument) -> Iterator[Problem]:
    keys = {service["name"]: service["key"] for service in document["services"]}
    changed = {"missing": "was deleted", "modified": "was changed", "unexpected": "was added"}
    for drift in document["reconcile"]["drift"]:
        name = drift["virtual_service"]
        what = f"{drift['real_server']} of {name}" if drift["real_server"] else f"The service {name}"
        text = f"{what} {changed.get(drift['kind'], 'was changed')} in the table by somebody else"
        yield Problem("warn", text, keys.get(name))
    if pending := len(document["reconcile"]["pending"]):
        what = "Pending" if document["agent"]["writes"] else "Not done, because the agent only observes"
        yield Problem("warn", f"{what}: {plural(pending, 'change')} of the table")


# --- sums --------------------------------------------------------------------------------------------------------


def _totals(services: Sequence[Service]) -> Totals:
    rates = [service["rates"] for service in services if service["rates"] is not None]
    connections = [service["connections"] for service in services if service["connections"] is not None]
    return Totals(
        servers=sum(len(service["real_servers"]) for service in services),
        states=Counter(row["state"] for service in services for row in service["real_servers"]),
        quorate=sum(service["quorum_reached"] for service in services),
        connections=sum(one["active"] for one in connections) if connections else None,
        connections_per_s=sum(one["connections_per_s"] for one in rates) if rates else None,
        incoming_bytes_per_s=sum(one["incoming_bytes_per_s"] for one in rates) if rates else None,
        outgoing_bytes_per_s=sum(one["outgoing_bytes_per_s"] for one in rates) if rates else None,
    )


def differs(row: Row, *, writes: bool) -> bool:
    """The kernel has another weight than it should, and the agent would repair that."""
    return writes and row["weight"]["wanted"] != row["weight"]["kernel"]
