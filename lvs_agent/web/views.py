"""From a snapshot to what is answered, as plain data: no request, no clock, no HTML."""

from __future__ import annotations

from collections.abc import Mapping

from lvs_agent import __version__
from lvs_agent.core.describe import describe
from lvs_agent.core.health import Health
from lvs_agent.core.instant import rfc3339
from lvs_agent.core.reconcile import Drift as FoundDrift
from lvs_agent.core.snapshot import CheckStatus, Snapshot
from lvs_agent.metrics.inventory import Inventory, KnownServer, KnownService, take_inventory
from lvs_agent.metrics.services import flags_of
from lvs_agent.model.check import CheckReport, CheckSpec, Failed, Passed
from lvs_agent.model.ipvs import Operation, ServiceKey
from lvs_agent.model.ipvs import Service as ServiceInTable
from lvs_agent.model.statistics import Statistics
from lvs_agent.web import document as doc

LIVE_WITHIN_S = 5.0
"""The check loop is alive if it has turned within this time."""


def is_live(snapshot: Snapshot) -> bool:
    """Whether the check loop still turns."""
    return snapshot.engine.last_turn_age_s <= LIVE_WITHIN_S


def what_is_missing(snapshot: Snapshot) -> list[str]:
    """What keeps the agent from being ready, in words; empty exactly when it is ready."""
    missing = []
    waiting = sum(status.last is None for status in snapshot.checks.values())
    if waiting:
        missing.append(f"{waiting} of {len(snapshot.checks)} checks have not run yet")
    if not snapshot.reconcile.right_once:
        missing.append("the table has not been right yet")
    return missing


def status_document(snapshot: Snapshot, statistics: Statistics | None) -> doc.StatusDocument:
    """The whole status as JSON-ready data; ``lvs_agent.web.document`` describes every field.

    ``statistics`` None: the kernel could not be read now; rows are then those that the last round left.
    """
    table = statistics.table if statistics else snapshot.reconcile.left
    inventory = take_inventory(snapshot, table=table, statistics=statistics)
    return doc.StatusDocument(
        schema=doc.SCHEMA,
        taken=rfc3339(snapshot.taken_at),
        kernel_read=statistics is not None,
        agent=_agent(snapshot),
        reconcile=_reconcile(snapshot),
        services=[_service(service, inventory) for service in inventory.services if service.configured is not None],
        foreign_services=[_foreign_service(service) for service in inventory.services if service.configured is None],
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
        missing=what_is_missing(snapshot),
        checks_in_flight=snapshot.engine.in_flight,
        checks_pending=snapshot.engine.pending,
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


def _service_row(service: KnownService) -> doc.ServiceRow:
    return doc.ServiceRow(
        name=service.name,
        key=str(service.key),
        scheduler=service.row.scheduler,
        flags=list(flags_of(service.row)),
        persistence=_persistence(service.row),
    )


def _persistence(service: ServiceInTable) -> doc.Persistence | None:
    kept = service.persistence
    if kept is None:
        return None
    return doc.Persistence(timeout_s=kept.timeout_s, netmask=str(kept.netmask), engine=kept.engine)


def _service(service: KnownService, inventory: Inventory) -> doc.Service:
    real_servers = service.real_servers
    quorum = service.configured.quorum if service.configured else 0
    up = sum(server.state == Health.UP.value for server in real_servers)
    sorry = next((server for server in service.servers if server.fallback), None)
    return doc.Service(
        **_service_row(service),
        comment=service.configured.comment if service.configured else "",
        in_kernel=service.present is not None if inventory.table_known else None,
        quorum=quorum,
        quorum_reached=up >= quorum,
        up=up,
        real_servers=[_real_server(server) for server in real_servers],
        sorry_server=None if sorry is None else doc.SorryServer(**_row(sorry), active=service.sorry_active),
        unexpected=[_row(server) for server in service.servers if server.configured is None and not server.fallback],
    )


def _foreign_service(service: KnownService) -> doc.ForeignService:
    return doc.ForeignService(**_service_row(service), destinations=[_row(server) for server in service.servers])


def _row(server: KnownServer) -> doc.Row:
    counted = server.counted
    return doc.Row(
        name=server.name,
        address=str(server.key.address),
        port=server.key.port,
        forwarding=server.forwarding,
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
    )


def _real_server(server: KnownServer) -> doc.RealServer:
    return doc.RealServer(
        **_row(server),
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
        detail=result.detail.encode(errors="replace").decode(),  # what a server sent need not be UTF-8
        ended=rfc3339(report.ended_at),
        duration_s=report.duration_s,
    )
