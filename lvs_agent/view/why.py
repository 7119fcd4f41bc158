"""Why a server has the weight that it has, and what comes next, in plain sentences.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict

from lvs_agent.core.health import Health
from lvs_agent.core.instant import rfc3339
from lvs_agent.core.pool import FULL, Membership
from lvs_agent.core.reconcile import changed_fields
from lvs_agent.core.share import share_of
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.model.check import CheckSpec
from lvs_agent.model.intent import PassWhen, RealServer
from lvs_agent.model.ipvs import Destination
from lvs_agent.view.inventory import KnownServer, KnownService
from lvs_agent.view.spans import about, plural, span
from lvs_agent.view.why_checks import Outlook, called, check_sentences, is_final, outlook

About = Literal["state", "checks", "pool", "table", "next"]


class Sentence(TypedDict):
    """``about``: what it is about: the state, the checks, the decision, the kernel's table, or what comes next."""

    about: About
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One server and everything that bears on it.  ``table_known`` False: the kernel could never be asked."""

    snapshot: Snapshot
    service: KnownService
    server: KnownServer
    table_known: bool


def explain(case: Case) -> list[Sentence]:
    """Everything there is to say about the server, the state first, what comes next last."""
    parts: tuple[tuple[About, Iterator[str]], ...] = (
        ("state", _state(case)),
        ("checks", _checks(case)),
        ("pool", _pool(case)),
        ("table", _table(case)),
        ("next", _next(case)),
    )
    return [Sentence(about=about, text=text) for about, texts in parts for text in texts]


def _state(case: Case) -> Iterator[str]:
    server, now = case.server, case.snapshot.taken_at
    if server.configured is not None:
        since = server.status.since
        health = server.status.health
        text = "Its health is not known" if health is Health.UNKNOWN else f"It is {health.value}"
        yield text + ("." if since is None else f" for {span(now - since)}, since {_instant(since)}.")
        if server.maintained:
            yield "The operator has taken it out of service, whatever its checks say."
    if server.is_sorry_server:
        yield "It is the sorry server, which is active while no real server has a weight above 0."


def _instant(seconds: float) -> str:
    text = rfc3339(seconds)
    return f"{text[:10]} {text[11:19]} UTC"


def _checks(case: Case) -> Iterator[str]:
    if case.server.configured is not None:
        yield from check_sentences(case.server.configured, case.server.checks, now=case.snapshot.taken_at)


# --- the service -------------------------------------------------------------------------------------------------


def explain_service(service: KnownService, *, table_known: bool) -> Iterator[str]:
    """Everything there is to say about the service itself.  ``table_known`` as in ``Case``."""
    if service.configured is None:
        yield "It is in the kernel's table but not in the configuration: it is shown, and never changed."
        return
    quorum = service.configured.quorum
    yield f"{service.condition.up} of {len(service.real_servers)} real servers are up; the quorum is {quorum}."
    if service.configured.comment:
        yield service.configured.comment
    if service.sorry_active:
        yield "It has failed over to its sorry server, because no real server has a weight above 0."
    if table_known and service.present is None:
        yield "The kernel does not have it."
    elif service.present is not None and (
        differing := changed_fields(service.present.service, service.configured.service)
    ):
        yield f"Its own row in the kernel differs in {', '.join(differing)}."


# --- the decision ------------------------------------------------------------------------------------------------

_MEMBERSHIPS = {
    Membership.POOLED: "It is up and in service.",
    Membership.HELD: "Until its checks decide, it stays as the kernel has it.",
    Membership.ADMITTED: "It is new, and in service until its checks decide, because its initial state is up.",
    Membership.WAITING: "It is not in the table, and waits for the first results of its checks.",
    Membership.QUIESCED: "It is down, so it is quiesced: it stays in the table with weight 0.",
    Membership.REMOVED: "It is down, so it is removed from the table.",
    Membership.MAINTENANCE: "It is in maintenance: an entry in the maintenance directory names it.",
    Membership.DRAINED: "It is up, but asks for no new connections: it is drained, with weight 0.",
    Membership.WITHDRAWN: "It should have weight 0, but somebody else has deleted its row, and it is not added again.",
}


def _pool(case: Case) -> Iterator[str]:
    server, service = case.server, case.service
    if service.configured is None:
        yield "Its service is not in the configuration: it is shown, and the agent never changes it."
        return
    if server.configured is None and not server.is_sorry_server:
        yield "Its service is in the configuration, but it is not."
        return
    if server.placement is not None:
        yield _MEMBERSHIPS[server.placement.membership]
        yield from _share(case)
    elif server.configured is not None:
        yield "No round has decided about it yet."
    if server.is_sorry_server:
        yield (
            "No real server has a weight above 0, so the service fails over to it."
            if service.pool is not None and service.pool.sorry_active
            else "A real server has a weight above 0, so it is on standby."
            if service.pool
            else "No round has decided yet whether the service fails over to it."
        )


def _share(case: Case) -> Iterator[str]:
    """Why it has a part of its weight, where that is so."""
    server = case.server
    if server.configured is None or server.placement is None or server.placement.membership is not Membership.POOLED:
        return
    share = share_of(server.configured, {spec.id: status for spec, status in server.checks})
    if share is not None and share != FULL:
        yield f"Its checks leave it {share} % of its configured weight of {server.configured.destination.weight}."


# --- the table ---------------------------------------------------------------------------------------------------


def _table(case: Case) -> Iterator[str]:
    server, present = case.server, case.server.present
    if case.service.configured is not None and (server.placement is not None or case.service.pool is not None):
        yield _wanted(server.wanted, server.configured)
    if not case.table_known:
        yield "The kernel's table could not be read, so its row is not known."
    elif case.service.present is None:
        yield "The kernel does not have its service."
    elif present is None:
        yield "The kernel has no row for it."
    else:
        yield f"The kernel has it with weight {present.weight}, forwarding {present.forwarding.value}{_load(server)}."
        differing = () if server.wanted is None else changed_fields(present, server.wanted)
        if differing:
            yield (
                "Its row differs in "
                + ", ".join(
                    f"{name.replace('_', ' ')} ({_value(present, name)} instead of {_value(server.wanted, name)})"
                    for name in differing
                )
                + "."
            )


def _wanted(row: Destination | None, configured: RealServer | None) -> str:
    if row is None:
        return "It should have no row in the table."
    if configured is not None and row.weight != configured.destination.weight:
        return f"It should have weight {row.weight}; its configured weight is {configured.destination.weight}."
    return f"It should have weight {row.weight}."


def _load(server: KnownServer) -> str:
    counted = server.counted
    if counted is None:
        return ""
    active, inactive = counted.active_connections, counted.inactive_connections
    return f", {plural(active, 'active connection')} and {inactive} inactive"


def _value(row: Destination | None, name: str) -> str:
    value = getattr(row, name)
    return str(getattr(value, "value", "none" if value is None else value))


# --- what comes next ---------------------------------------------------------------------------------------------


def _next(case: Case) -> Iterator[str]:
    if case.service.configured is None:
        return
    yield from _operation(case)
    if case.server.configured is not None:
        yield from _turn(case, case.server.configured)


def _operation(case: Case) -> Iterator[str]:
    """What the next round does about its row, or why none does."""
    server, service, snapshot = case.server, case.service, case.snapshot
    if service.pool is None:
        yield "The next round decides."
        return
    if not case.table_known:
        yield "Nothing is changed before the table can be read again."
        return
    missing = service.present is None and server.wanted is not None
    if missing:
        what = "add the service with this row"
    elif server.wanted is None and server.present is not None:
        what = "delete its row"
    elif server.wanted is not None and server.present is None:
        what = f"add its row with weight {server.wanted.weight}"
    elif server.wanted is not None and server.present is not None and changed_fields(server.present, server.wanted):
        what = "update its row"
    else:
        yield "There is nothing to do: the table is in sync."
        return
    if not snapshot.writes:
        yield f"The agent only observes: it would {what}, and does not."
        return
    yield f"The next round will {what}; it starts within {about(snapshot.config.reconcile_interval_s)}."
    if snapshot.reconcile.last_error:
        yield f"The last round failed: {snapshot.reconcile.last_error}."


def _turn(case: Case, configured: RealServer) -> Iterator[str]:
    """What must happen for it to come back, or to go."""
    server, now = case.server, case.snapshot.taken_at
    deciding = [(spec, status) for spec, status in server.checks if spec.id in configured.checks]
    towards = Health.DOWN if server.status.health is Health.UP else Health.UP
    doubted = [pair for pair in deciding if pair[1].state.against]
    all_must_turn = (configured.pass_when is PassWhen.ALL) is (towards is Health.UP)
    if towards is Health.DOWN and not all_must_turn:
        deciding = doubted
    needs = [(spec, outlook(spec, status, towards=towards, now=now)) for spec, status in deciding]
    needs = [(spec, need) for spec, need in needs if need.results]
    fixed = {spec.id for spec, status in deciding if is_final(status)}
    if all_must_turn and any(spec.id in fixed for spec, _ in needs):
        needs = []
    needs = [(spec, need) for spec, need in needs if spec.id not in fixed]
    if needs and (towards is Health.UP or doubted):
        yield f"{_turning(server)} after {_needed(needs, towards, every=all_must_turn)}."
    if server.maintained:
        yield "It returns to service when that entry is removed and its checks say up."


def _turning(server: KnownServer) -> str:
    match server.status.health:
        case Health.UP:
            return "It goes down"
        case Health.DOWN if not server.maintained:
            return "It comes up"
        case _:
            return "It is up"


def _needed(needs: list[tuple[CheckSpec, Outlook]], towards: Health, *, every: bool) -> str:
    """``2 more successes in a row of http on 10.0.0.1:80, in about 7 s at the earliest``; ``every``: of all checks."""
    if not every:
        needs = [min(needs, key=lambda pair: pair[1].seconds)]
    words = ("success", "successes") if towards is Health.UP else ("failure", "failures")
    parts = [
        f"{need.results} more {words[need.results > 1]}{' in a row' if need.results > 1 else ''} of {called(spec)}"
        for spec, need in needs
    ]
    return f"{' and '.join(parts)}, in about {about(max(need.seconds for _, need in needs))} at the earliest"
