"""From a snapshot to what is answered, as plain data: no request, no clock, no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lvs_agent import __version__
from lvs_agent.core.describe import describe
from lvs_agent.core.instant import rfc3339
from lvs_agent.core.reconcile import Drift as FoundDrift
from lvs_agent.core.snapshot import CheckStatus, Snapshot, Vitals
from lvs_agent.model.check import CheckReport, CheckSpec, Failed, Passed
from lvs_agent.model.event import Event
from lvs_agent.model.ipvs import Operation, ServiceKey
from lvs_agent.model.ipvs import Service as ServiceInTable
from lvs_agent.model.statistics import Rates, Statistics
from lvs_agent.view.inventory import Inventory, KnownServer, KnownService, inventory_of
from lvs_agent.view.why_checks import shown
from lvs_agent.view.words import flags_of, server_word, service_word
from lvs_agent.web import document as doc
from lvs_agent.web.events import event_entry

LIVE_WITHIN_S = 5.0
"""The check loop is alive if it has turned within this time."""


def is_live(vitals: Vitals) -> bool:
    """Whether the check loop still turns."""
    return vitals.last_turn_age_s <= LIVE_WITHIN_S


def what_is_missing(vitals: Vitals) -> list[str]:
    """What keeps the agent from being ready, in words; empty exactly when it is ready."""
    missing = []
    if vitals.unreported:
        missing.append(f"{vitals.unreported} of {vitals.checks} checks have not run yet")
    if not vitals.converged_once:
        missing.append("the table has not been in sync yet")
    return missing


def status_document(
    snapshot: Snapshot,
    statistics: Statistics | None,
    *,
    inventory: Inventory | None = None,
    recent: Iterable[Event] = (),
) -> doc.StatusDocument:
    """The whole status as JSON-ready data; ``lvs_agent.web.document`` describes every field.

    ``statistics`` None: the kernel could not be read now; rows are then those that the last round left.
    ``inventory``: what ``inventory_of`` gives for the same, if somebody has it already.
    ``recent``: the last transitions, oldest first.
    """
    inventory = inventory or inventory_of(snapshot, statistics)
    rates = statistics.service_rates if statistics else {}
    return doc.StatusDocument(
        schema=doc.SCHEMA,
        taken=rfc3339(snapshot.taken_at),
        kernel_read=statistics is not None,
        agent=_agent(snapshot),
        reconcile=_reconcile(snapshot),
        services=[
            _service(service, rates, table_known=inventory.table_known)
            for service in inventory.services
            if service.configured is not None
        ],
        foreign_services=[
            _foreign_service(service, rates) for service in inventory.services if service.configured is None
        ],
        recent=[event_entry(event) for event in recent],
    )


def _rfc3339_or_none(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)


def _agent(snapshot: Snapshot) -> doc.Agent:
    config = snapshot.config
    return doc.Agent(
        version=__version__,
        started=rfc3339(snapshot.started_at),
        writes=snapshot.writes,
        ready=snapshot.ready,
        missing=what_is_missing(snapshot.vitals),
        checks_in_flight=snapshot.engine.load.in_flight,
        checks_pending=snapshot.engine.load.pending,
        config=doc.Config(
            path=config.path,
            digest=config.digest,
            loaded=rfc3339(config.loaded_at),
            last_reload_ok=config.last_reload_successful,
            problems=list(config.problems),
            warnings=list(config.warnings),
        ),
    )


def _reconcile(snapshot: Snapshot) -> doc.Reconcile:
    status = snapshot.reconcile
    return doc.Reconcile(
        rounds=status.rounds,
        errors=status.errors,
        last_success=_rfc3339_or_none(status.last_success_at),
        last_error=status.last_error,
        drift=[_drift(drift, snapshot.intent.names) for drift in status.drift],
        repairs=status.drift_repairs,
        pending=[_in_words(operation, snapshot.intent.names) for operation in status.pending],
    )


def _drift(drift: FoundDrift, names: Mapping[ServiceKey, str]) -> doc.Drift:
    return doc.Drift(
        kind=drift.kind.value,
        virtual_service=names.get(drift.service, str(drift.service)),
        real_server=None if drift.destination is None else str(drift.destination),
    )


def _in_words(operation: Operation, names: Mapping[ServiceKey, str]) -> dict[str, str | int]:
    facts = describe(operation, names=names)
    return {key: value if isinstance(value, int) else str(value) for key, value in facts.items()}


ServiceRates = Mapping[ServiceKey, Rates]


def _service_row(service: KnownService, rates: ServiceRates) -> doc.ServiceRow:
    return doc.ServiceRow(
        name=service.name,
        key=str(service.key),
        scheduler=service.row.scheduler,
        flags=list(flags_of(service.row)),
        persistence=_persistence(service.row),
        state=service_word(service),
        connections=_all_connections(service),
        rates=_rates(rates.get(service.key)),
    )


def _persistence(service: ServiceInTable) -> doc.Persistence | None:
    kept = service.persistence
    if kept is None:
        return None
    return doc.Persistence(timeout_s=kept.timeout_s, netmask=str(kept.netmask), engine=kept.engine)


def _service(service: KnownService, rates: ServiceRates, *, table_known: bool) -> doc.Service:
    real_servers = service.real_servers
    sorry = next((server for server in service.servers if server.is_sorry_server), None)
    return doc.Service(
        **_service_row(service, rates),
        comment=service.configured.comment if service.configured else "",
        in_kernel=service.present is not None if table_known else None,
        quorum=service.configured.quorum if service.configured else 0,
        quorum_reached=service.quorum_reached,
        up=service.condition.up,
        real_servers=[_real_server(server, service) for server in real_servers],
        sorry_server=None if sorry is None else doc.SorryServer(**_row(sorry, service), active=service.sorry_active),
        unexpected=[
            _row(server, service)
            for server in service.servers
            if server.configured is None and not server.is_sorry_server
        ],
    )


def _foreign_service(service: KnownService, rates: ServiceRates) -> doc.ForeignService:
    return doc.ForeignService(
        **_service_row(service, rates), destinations=[_row(server, service) for server in service.servers]
    )


def _all_connections(service: KnownService) -> doc.Connections | None:
    """Those of all its rows; None where the kernel was not asked or does not have it."""
    counted = [server.counted for server in service.servers if server.counted is not None]
    if service.counters is None:
        return None
    return doc.Connections(
        active=sum(one.active_connections for one in counted),
        inactive=sum(one.inactive_connections for one in counted),
        persistent=sum(one.persistent_connections for one in counted),
    )


def _rates(rates: Rates | None) -> doc.Rates | None:
    if rates is None:
        return None
    return doc.Rates(
        connections_per_s=rates.connections,
        incoming_packets_per_s=rates.incoming_packets,
        outgoing_packets_per_s=rates.outgoing_packets,
        incoming_bytes_per_s=rates.incoming_bytes,
        outgoing_bytes_per_s=rates.outgoing_bytes,
    )


def _row(server: KnownServer, service: KnownService) -> doc.Row:
    counted = server.counted
    return doc.Row(
        name=server.name,
        address=str(server.key.address),
        port=server.key.port,
        forwarding=server.forwarding,
        state=server_word(server, service),
        weight=doc.Weight(
            configured=None if server.configured is None else server.configured.destination.weight,
            wanted=None if server.wanted is None else server.wanted.weight,
            kernel=None if server.present is None else server.present.weight,
        ),
        connections=None
        if counted is None
        else doc.Connections(
            active=counted.active_connections,
            inactive=counted.inactive_connections,
            persistent=counted.persistent_connections,
        ),
        rates=None if counted is None else _rates(counted.rates),
    )


def _real_server(server: KnownServer, service: KnownService) -> doc.RealServer:
    return doc.RealServer(
        **_row(server, service),
        health=server.status.health.value,
        since=_rfc3339_or_none(server.status.since),
        membership=None if server.placement is None else server.placement.membership.value,
        checks=[_check(spec, status) for spec, status in server.checks],
    )


def _check(spec: CheckSpec, status: CheckStatus) -> doc.Check:
    return doc.Check(
        kind=spec.kind,
        address=str(spec.target.address),
        port=spec.target.port,
        interval_s=spec.interval_s,
        timeout_s=spec.timeout_s,
        health=status.state.health.value,
        done=sum(status.durations.counts),
        failed=sum(status.failures.values()),
        errored=sum(status.errors.values()),
        last=None if status.last is None else _last_check(status.last),
    )


def _last_check(report: CheckReport) -> doc.LastCheck:
    result = report.result
    return doc.LastCheck(
        result="passed" if isinstance(result, Passed) else "failed" if isinstance(result, Failed) else "errored",
        reason=None if isinstance(result, Passed) else result.reason.value,
        detail=shown(result.detail),
        ended=rfc3339(report.ended_at),
        duration_s=report.duration_s,
    )
