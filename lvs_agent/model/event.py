"""One entry of the event journal, and a query for entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class EventKind(Enum):
    """The kind of an event; the value is its name in the journal, in the API and in the log."""

    AGENT_STARTED = "started"
    AGENT_STOPPED = "stopped"
    PREVIOUS_RUN_CRASHED = "previous_run_crashed"
    """The previous process ended without an orderly stop: it was killed, or the host failed."""
    CONFIGURATION_RELOADED = "configuration_reloaded"
    CONFIGURATION_REFUSED = "configuration_refused"
    SERVER_UP = "real_server_up"
    SERVER_DOWN = "real_server_down"
    SERVER_UNKNOWN = "real_server_unknown"
    QUORUM_LOST = "quorum_lost"
    QUORUM_REGAINED = "quorum_regained"
    MAINTENANCE_STARTED = "maintenance_started"
    MAINTENANCE_ENDED = "maintenance_ended"
    SORRY_SERVER_ACTIVATED = "sorry_server_activated"
    SORRY_SERVER_DEACTIVATED = "sorry_server_deactivated"
    SORRY_COMMAND = "sorry_command"
    OPERATION_APPLIED = "operation_applied"
    OPERATION_REFUSED = "operation_refused"
    OPERATION_WITHOUT_EFFECT = "operation_without_effect"
    TABLE_CHANGED_BY_OTHERS = "table_changed_by_others"
    TABLE_NOT_READ = "table_not_read"
    TABLE_READ_AGAIN = "table_read_again"
    CHECK_NOT_POSSIBLE = "check_not_possible"
    CHECK_RECOVERED = "check_recovered"
    CHECK_WORKER_LOST = "check_worker_lost"

    __hash__ = object.__hash__
    """Each member is one object.  Enum's own, in Python, would be a third of what it costs to note an event."""


TRANSITIONS = frozenset(
    {
        EventKind.SERVER_UP,
        EventKind.SERVER_DOWN,
        EventKind.QUORUM_LOST,
        EventKind.QUORUM_REGAINED,
        EventKind.MAINTENANCE_STARTED,
        EventKind.MAINTENANCE_ENDED,
        EventKind.SORRY_SERVER_ACTIVATED,
        EventKind.SORRY_SERVER_DEACTIVATED,
    }
)
"""Kinds of events that change which real servers clients reach, or how many."""

KEPT = 10_000
"""Number of events that are kept."""

Fact = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    ``number`` grows with each event of a journal, across restarts: by one, except for a gap after a process
    that was killed.  ``at``: when it was noticed, in seconds since 1970.  ``virtual_service`` and ``real_server`` are
    their names in the configuration and the metrics, empty if the event is not about one.  ``facts`` holds the
    rest with the keys of the log, and never a secret.
    """

    number: int
    at: float
    kind: EventKind
    virtual_service: str = ""
    real_server: str = ""
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events to select: those that satisfy everything given, and of these the ``limit`` newest.

    ``since`` and ``until`` are seconds since 1970, both inclusive.  ``after`` is a number, exclusive; with it, the
    ``limit`` oldest are selected, so that a client that polls misses none.  ``real_server`` may be without a port.
    """

    since: float | None = None
    until: float | None = None
    after: int | None = None
    kinds: frozenset[EventKind] | None = None
    virtual_service: str | None = None
    real_server: str | None = None
    limit: int = 1_000
