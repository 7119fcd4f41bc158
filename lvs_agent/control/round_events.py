"""What rounds have found and done, told once: a line in the log and an event in the journal, with the same words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from lvs_agent.clock import Clock
from lvs_agent.control.journal import Journal
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

_LEVELS = {
    EventKind.OPERATION_APPLIED: logging.INFO,
    EventKind.OPERATION_REFUSED: logging.ERROR,
    EventKind.OPERATION_WITHOUT_EFFECT: logging.WARNING,
    EventKind.QUORUM_LOST: logging.WARNING,
    EventKind.QUORUM_REGAINED: logging.INFO,
    EventKind.SORRY_SERVER_BEGUN: logging.WARNING,
    EventKind.SORRY_SERVER_ENDED: logging.INFO,
}
_ABOUT_SORRY = frozenset({EventKind.SORRY_SERVER_BEGUN, EventKind.SORRY_SERVER_ENDED})


class RoundEvents:
    """Every method is called on the loop, once for each round."""

    def __init__(self, *, state: AgentState, journal: Journal, clock: Clock) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._complaint: tuple[object, ...] = ()
        self._unread: tuple[str, float] | None = None

    def unread(self, error: IpvsError) -> None:
        """A round, or a look between two, could not read the table: told again only where the error is another."""
        before = self._unread
        self._unread = (str(error), self._clock.monotonic() if before is None else before[1])
        if before is None or before[0] != str(error):
            log.error("table_not_read", error=error, consequence="the table stays as it is; tried again each period")
            self._journal.record(EventKind.TABLE_NOT_READ, error=str(error))

    def tell(
        self, given: RoundInput, result: RoundResult, *, conditions: Mapping[ServiceKey, ServiceCondition]
    ) -> None:
        """A round has read the table: tell what others have changed, what was done, and the new ``conditions``."""
        self._read_again()
        self._drift(result)
        self._operations(given, result)
        if result.unread is not None:
            self.unread(result.unread)
        moved = moved_by(one.operation for one in result.applied if one.error is None)
        self.tell_conditions(given.intent, conditions, moved=moved)

    def _read_again(self) -> None:
        if self._unread is not None:
            after_s = round(self._clock.monotonic() - self._unread[1], 3)
            self._unread = None
            log.info("table_read_again", after_s=after_s)
            self._journal.record(EventKind.TABLE_READ_AGAIN, after_s=after_s)

    def _drift(self, result: RoundResult) -> None:
        for drift in result.drift:
            service = self._state.names.get(drift.service) or str(drift.service)
            server = None if drift.destination is None else str(drift.destination)
            log.warning("table_changed_by_others", virtual_service=service, real_server=server, kind=drift.kind)
            self._journal.record(
                EventKind.TABLE_CHANGED_BY_OTHERS,
                virtual_service=service,
                real_server=server or "",
                kind=drift.kind.value,
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
        facts = describe(operation, names=self._state.names)
        if error is not None:
            facts["error"] = error
        log.log(_LEVELS[kind], kind.value, **facts)
        service, server = str(facts.pop("virtual_service")), str(facts.pop("real_server", ""))
        self._journal.record(kind, virtual_service=service, real_server=server, at=None, **facts)

    def tell_conditions(
        self,
        intent: Intent,
        conditions: Mapping[ServiceKey, ServiceCondition],
        *,
        moved: AbstractSet[ServerKey] = frozenset(),
    ) -> None:
        """Tell which services have lost their quorum or fail over to their sorry server, and the reverse.

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
            log.log(_LEVELS[kind], kind.value, virtual_service=service.name, real_server=server)
            self._journal.record(kind, virtual_service=service.name, real_server=server)
        else:
            up, quorum = condition.up, service.quorum
            log.log(_LEVELS[kind], kind.value, virtual_service=service.name, up=up, quorum=quorum)
            self._journal.record(kind, virtual_service=service.name, up=up, quorum=quorum)
