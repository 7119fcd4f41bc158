"""Notes reports of the check engine in the state.  Each change is reported once, and wakes the reconcile loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lvs_agent.control.facts import Noted, ServerTurn
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.state import AgentState
from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import EngineStatus
from lvs_agent.model.check import CheckId, CheckReport, Errored, Failed
from lvs_agent.model.event import EventKind
from lvs_agent.model.ipvs import ServiceKey
from lvs_agent.workers.slot import Lost

Verdicts = Sequence[tuple[CheckId, bool]]
"""The checks with changed health, and whether they are down now, which determines their interval."""


class Checking:
    """Takes batches of reports.  ``wake(services)`` requests a round for services if their pools may have changed."""

    def __init__(self, *, state: AgentState, reporter: Reporter, wake: Callable[[frozenset[ServiceKey]], None]) -> None:
        self._state = state
        self._reporter = reporter
        self._wake = wake
        self.delays = EngineStatus().delays

    def take(self, reports: Sequence[CheckReport]) -> Verdicts:
        """Note ``reports`` in the state, and report what has changed."""
        self.delays = self.delays.with_values([report.delay_s for report in reports])
        noted = self._state.checks_reported(reports)
        for one in noted:
            self._report(one)
        if changed := frozenset(key for one in noted for key in self._services_of(one)):
            self._wake(changed)
        return [(one.report.check, one.health is Health.DOWN) for one in noted if one.turned]

    def worker_lost(self, lost: Lost) -> None:
        """Report that the process which ran some of the checks was lost."""
        self._reporter.report(
            EventKind.CHECK_WORKER_LOST,
            cause=lost.cause,
            detail=lost.detail,
            checks=lost.checks,
            again_in_s=lost.again_in_s,
            log_only={"pid": lost.pid},
        )

    def _services_of(self, noted: Noted) -> Iterator[ServiceKey]:
        """The services whose pools may have changed.

        After the first report of a check, these are all services with this check, because the agent is ready only when
        a round has succeeded after every check has run.
        """
        users = self._state.users_of(noted.report.check)
        if noted.turned:
            yield from (turn.service.service.key for turn in noted.servers)
            for service, server in users:
                if any(check == noted.report.check for check, _ in server.lowering):
                    yield service.service.key
        elif noted.before is None or (noted.spec.gives_weight and noted.before.result != noted.report.result):
            yield from (service.service.key for service, _ in users)

    def _report(self, noted: Noted) -> None:
        before = noted.before
        if isinstance(noted.report.result, Errored):
            if before is None or before.result != noted.report.result:
                self._report_error(noted, noted.report.result)
        elif before is not None and isinstance(before.result, Errored):
            self._reporter.record(
                EventKind.CHECK_RECOVERED, self._subjects(noted), at=noted.report.ended_at, check=noted.spec.kind
            )
        for turn in noted.servers:
            self._report_turn(noted, turn)

    def _report_turn(self, noted: Noted, turn: ServerTurn) -> None:
        report = noted.report
        self._reporter.report(
            _EVENTS[turn.health],
            virtual_service=turn.service.name,
            real_server=turn.server.name,
            at=report.ended_at,
            log_only={"comment": turn.service.comment or None},
            news=turn.is_news,
            previous=turn.before,
            check=noted.spec.kind,
            reason=report.result.reason if isinstance(report.result, Failed) else None,
            detail=report.result.detail or None,
            duration_s=report.duration_s,
        )

    def _report_error(self, noted: Noted, error: Errored) -> None:
        """One line about the check, and an event for each of its real servers."""
        kind, spec = EventKind.CHECK_NOT_POSSIBLE, noted.spec
        facts: dict[str, Any] = {"check": spec.kind, "reason": error.reason, "detail": error.detail}
        self._reporter.log(
            kind,
            **facts,
            address=spec.target.address,
            port=spec.target.port,
            consequence="the server's state stays as it is",
        )
        self._reporter.record(kind, self._subjects(noted), at=noted.report.ended_at, **facts)

    def _subjects(self, noted: Noted) -> Iterator[tuple[str, str]]:
        return ((service.name, server.name) for service, server in self._state.users_of(noted.report.check))


_EVENTS = {
    Health.UP: EventKind.SERVER_UP,
    Health.DOWN: EventKind.SERVER_DOWN,
    Health.UNKNOWN: EventKind.SERVER_UNKNOWN,
}
