"""Reports of the check engine to the state: what they change is logged once, and wakes the reconcile loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from lvs_agent.control.journal import Journal
from lvs_agent.control.state import AgentState
from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import EngineStatus
from lvs_agent.log import get_logger
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Errored, Failed
from lvs_agent.model.event import EventKind
from lvs_agent.model.intent import RealServer, VirtualService
from lvs_agent.model.ipvs import ServiceKey

log = get_logger()


class Checking:
    """Takes batches of reports.

    ``set_down(check, down)`` tells the engine which interval holds; ``wake(services)`` tells the reconcile loop whose
    pools may have changed.
    """

    def __init__(
        self,
        *,
        state: AgentState,
        journal: Journal,
        set_down: Callable[[CheckId, bool], None],
        wake: Callable[[frozenset[ServiceKey]], None],
    ) -> None:
        self._state = state
        self._journal = journal
        self._set_down = set_down
        self._wake = wake
        self.delays = EngineStatus().delays

    def take(self, reports: Sequence[CheckReport]) -> None:
        """Account for ``reports``; called by the engine on the loop."""
        changed: set[ServiceKey] = set()
        self.delays = self.delays.with_values([report.delay_s for report in reports])
        ledgers, specs = self._state.checks, self._state.intent.checks
        for report in reports:
            spec = specs.get(report.check)
            if spec is None:
                continue  # a probe that ended while its check was leaving the configuration
            ledger = ledgers[report.check]
            before = ledger.last
            turned = ledger.note(report, rise=spec.rise, fall=spec.fall)
            if isinstance(report.result, Errored):
                self._tell_error(spec, report, first=before is None or before.result != report.result)
            elif before is not None and isinstance(before.result, Errored):
                self._record(EventKind.CHECK_POSSIBLE_AGAIN, spec, report)
            if turned:
                changed |= self._turn(spec, report)
            elif before is None or (spec.gives_weight and before.result != report.result):
                changed |= self._services_of(report.check)
        if changed:
            self._wake(frozenset(changed))

    def _turn(self, spec: CheckSpec, report: CheckReport) -> set[ServiceKey]:
        """The health of a check has changed: tell the engine and its real servers; the services that this concerns."""
        self._set_down(report.check, self._state.checks[report.check].state.health is Health.DOWN)
        turned = {key for user in self._state.users[report.check] if (key := self._settle(*user, spec, report))}
        lowered = {
            service.service.key
            for service, server in self._state.users[report.check]
            if report.check in {check for check, _ in server.lowering}
        }
        return turned | lowered

    def _services_of(self, check: CheckId) -> set[ServiceKey]:
        """Whose table is now right for good, or wrong, because ``check`` has spoken for the first time."""
        return {service.service.key for service, _ in self._state.users[check]}

    def _settle(
        self, service: VirtualService, server: RealServer, spec: CheckSpec, report: CheckReport
    ) -> ServiceKey | None:
        """Carry a check's change to one of its real servers; the service's key where that changed too."""
        key = (service.service.key, server.key)
        before = self._state.servers[key].health
        health = self._state.health_of(server)
        if health is before:
            return None
        is_news = self._state.settle_server(key, health, at=report.ended_at)
        reason = report.result.reason if isinstance(report.result, Failed) else None
        level, kind = _EVENTS[health]
        log.log(
            level,
            kind.value,
            virtual_service=service.name,
            comment=service.comment or None,
            real_server=server.name,
            previous=before,
            check=spec.kind,
            reason=reason,
            detail=report.result.detail or None,
            duration_s=report.duration_s,
        )
        if is_news:
            self._journal.record(
                kind,
                virtual_service=service.name,
                real_server=server.name,
                at=report.ended_at,
                previous=before.value,
                check=spec.kind,
                reason=reason and reason.value,
                detail=report.result.detail or None,
                duration_s=report.duration_s,
            )
        return service.service.key

    def _tell_error(self, spec: CheckSpec, report: CheckReport, *, first: bool) -> None:
        if first and isinstance(report.result, Errored):
            log.error(
                "check_not_possible",
                check=spec.kind,
                address=spec.target.address,
                port=spec.target.port,
                reason=report.result.reason,
                detail=report.result.detail,
                consequence="the server's state stays as it is",
            )
            self._record(EventKind.CHECK_NOT_POSSIBLE, spec, report)

    def _record(self, kind: EventKind, spec: CheckSpec, report: CheckReport) -> None:
        """Note for each of its real servers whether the check can be made."""
        reason = report.result.reason.value if isinstance(report.result, Errored) else None
        for service, server in self._state.users[report.check]:
            self._journal.record(
                kind,
                virtual_service=service.name,
                real_server=server.name,
                at=report.ended_at,
                check=spec.kind,
                reason=reason,
                detail=report.result.detail if reason else None,
            )


_EVENTS = {
    Health.UP: (logging.INFO, EventKind.SERVER_UP),
    Health.DOWN: (logging.WARNING, EventKind.SERVER_DOWN),
    Health.UNKNOWN: (logging.INFO, EventKind.SERVER_UNKNOWN),
}
