"""Reports events: one call writes the line in the log and the event in the journal, with the same words."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePath

from lvs_agent.control.journal import Journal
from lvs_agent.log import get_logger
from lvs_agent.model.event import EventKind, Fact

log = get_logger()

ReportedFact = Fact | Enum | PurePath | BaseException | None
"""A fact as the caller passes it."""

Subject = tuple[str, str]
"""Names of a virtual service and of a real server; empty if the event is not about one."""

_WARNINGS = frozenset(
    {
        EventKind.SERVER_DOWN,
        EventKind.QUORUM_LOST,
        EventKind.SORRY_SERVER_ACTIVATED,
        EventKind.OPERATION_WITHOUT_EFFECT,
        EventKind.TABLE_CHANGED_BY_OTHERS,
    }
)
_ERRORS = frozenset(
    {
        EventKind.CONFIGURATION_REFUSED,
        EventKind.OPERATION_REFUSED,
        EventKind.TABLE_NOT_READ,
        EventKind.CHECK_NOT_POSSIBLE,
    }
)


def level_of(kind: EventKind) -> int:
    """The level of the log line of an event."""
    if kind in _ERRORS:
        return logging.ERROR
    return logging.WARNING if kind in _WARNINGS else logging.INFO


class Reporter:
    """Every method is called on the loop."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def report(
        self,
        kind: EventKind,
        /,
        *,
        virtual_service: str = "",
        real_server: str = "",
        at: float | None = None,
        failed: bool = False,
        log_only: Mapping[str, object] | None = None,
        news: bool = True,
        **facts: ReportedFact,
    ) -> None:
        """Report an event about a service, a server of it, or neither.

        ``failed`` logs with the level error; ``log_only`` is context that the journal does not keep; ``news`` False
        writes only the line, because the event is already in the journal of an earlier process.  ``at``: see
        ``Journal.record``.  Facts that are None are left out.
        """
        subject = {"virtual_service": virtual_service, "real_server": real_server}
        self.log(
            kind, failed=failed, **{key: name for key, name in subject.items() if name}, **(log_only or {}), **facts
        )
        if news:
            self.record(kind, [(virtual_service, real_server)], at=at, **facts)

    def log(self, kind: EventKind, /, *, failed: bool = False, **facts: object) -> None:
        """Write only the line in the log."""
        log.log(logging.ERROR if failed else level_of(kind), kind.value, **facts)

    def record(
        self, kind: EventKind, subjects: Iterable[Subject], /, *, at: float | None = None, **facts: ReportedFact
    ) -> None:
        """Record only the event in the journal, once for each of ``subjects``."""
        kept = {name: _fact(fact) for name, fact in facts.items()}
        for service, server in subjects:
            self._journal.record(kind, virtual_service=service, real_server=server, at=at, **kept)


def _fact(value: ReportedFact) -> Fact | None:
    """``value`` as the journal keeps it."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, PurePath | BaseException):
        return str(value)
    return value
