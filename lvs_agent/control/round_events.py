"""Reports what rounds found and did: a line in the log and an event in the journal, with the same words."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from lvs_agent.clock import Clock
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.round import RoundInput, RoundResult
from lvs_agent.control.state import AgentState
from lvs_agent.core.condition import ServiceCondition, events_between, moved_by
from lvs_agent.core.describe import describe
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.errors import IpvsError
from lvs_agent.log import get_logger
from lvs_agent.model.event import EventKind
from lvs_agent.model.intent import Intent, VirtualService
from lvs_agent.model.ipvs import Operation, ServiceKey

log = get_logger()

_ABOUT_SORRY = frozenset({EventKind.SORRY_SERVER_ACTIVATED, EventKind.SORRY_SERVER_DEACTIVATED})


class RoundEvents:
    """Every method is called on the loop, once for each round."""

    def __init__(self, *, state: AgentState, reporter: Reporter, clock: Clock) -> None:
        self._state = state
        self._reporter = reporter
        self._clock = clock
        self._complaint: tuple[object, ...] = ()
        self._unread: tuple[str, float] | None = None

    def unread(self, error: IpvsError) -> None:
        """Report that a round, or a look between two rounds, could not read the table; again only for a new error."""
        before = self._unread
        self._unread = (str(error), self._clock.monotonic() if before is None else before[1])
        if before is None or before[0] != str(error):
            self._reporter.report(
                EventKind.TABLE_NOT_READ,
                log_only={"consequence": "the table stays as it is; the agent tries again at each round"},
                error=error,
            )

    def report(
        self, given: RoundInput, result: RoundResult, *, conditions: Mapping[ServiceKey, ServiceCondition]
    ) -> None:
        """Report a round that has read the table: drift, applied operations, and the new ``conditions``."""
        self._read_again()
        self._drift(result)
        self._operations(given, result)
        if result.unread is not None:
            self.unread(result.unread)
        moved = moved_by(one.operation for one in result.applied if one.error is None)
        self.report_conditions(given.intent, conditions, moved=moved)

    def _read_again(self) -> None:
        if self._unread is not None:
            after_s = round(self._clock.monotonic() - self._unread[1], 3)
            self._unread = None
            self._reporter.report(EventKind.TABLE_READ_AGAIN, after_s=after_s)

    def _drift(self, result: RoundResult) -> None:
        for drift in result.drift:
            self._reporter.report(
                EventKind.TABLE_CHANGED_BY_OTHERS,
                virtual_service=self._state.name_of(drift.service),
                real_server="" if drift.destination is None else str(drift.destination),
                kind=drift.kind,
            )

    def _operations(self, given: RoundInput, result: RoundResult) -> None:
        for one in result.applied:
            if one.error is None:
                self._operation(EventKind.OPERATION_APPLIED, one.operation)
        failed = tuple((one.operation, one.error) for one in result.applied if one.error)
        complaint = (*map(str, failed), *result.pending)
        if complaint != self._complaint:
            for operation, error in failed:
                self._operation(EventKind.OPERATION_REFUSED, operation, error=str(error))
            for operation in result.pending if not failed else ():
                if given.writes:
                    self._operation(EventKind.OPERATION_WITHOUT_EFFECT, operation)
                else:
                    log.warning("operation_planned", **describe(operation, names=self._state.names))
        self._complaint = complaint

    def _operation(self, kind: EventKind, operation: Operation, *, error: str | None = None) -> None:
        facts: dict[str, Any] = describe(operation, names=self._state.names)
        service, server = str(facts.pop("virtual_service")), str(facts.pop("real_server", ""))
        self._reporter.report(kind, virtual_service=service, real_server=server, error=error, **facts)

    def report_conditions(
        self,
        intent: Intent,
        conditions: Mapping[ServiceKey, ServiceCondition],
        *,
        moved: AbstractSet[ServerKey] = frozenset(),
    ) -> None:
        """Report services that lost or regained their quorum, or failed over to their sorry server or back.

        ``moved``: the destinations that the round has added or deleted.
        """
        before = self._state.reconcile.conditions
        for service in intent.services:
            key = service.service.key
            earlier, now = before.get(key, ServiceCondition()), conditions[key]
            for kind in events_between(earlier, now, service, moved=moved):
                self._change(kind, service, now)

    def _change(self, kind: EventKind, service: VirtualService, condition: ServiceCondition) -> None:
        if kind in _ABOUT_SORRY:
            server = "" if service.sorry_server is None else str(service.sorry_server.key)
            self._reporter.report(kind, virtual_service=service.name, real_server=server)
        else:
            self._reporter.report(kind, virtual_service=service.name, up=condition.up, quorum=service.quorum)
