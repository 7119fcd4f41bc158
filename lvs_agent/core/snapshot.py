"""The state of the agent for readers (metrics, API, status page, log): one frozen, complete object.

Counters only grow for the life of the process.  Times ending in ``_at`` are seconds since 1970, durations seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lvs_agent.core.condition import ServiceCondition
from lvs_agent.core.health import UNKNOWN, CheckState, Health
from lvs_agent.core.pool import Pool
from lvs_agent.core.reconcile import Drift
from lvs_agent.core.sorry_command import SorryAction, SorryOutcome
from lvs_agent.model.check import CheckId, CheckReport, ErrorReason, FailureReason, Load
from lvs_agent.model.intent import Intent
from lvs_agent.model.ipvs import DestinationKey, Operation, ServiceKey, Table
from lvs_agent.model.workers import LossCause, WorkerState


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of observations by upper bound (``bounds`` ascending; the last count has no bound), and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float = 0.0

    @classmethod
    def empty(cls, bounds: Iterable[float]) -> Histogram:
        """A histogram with nothing in it."""
        edges = tuple(bounds)
        return cls(edges, (0,) * (len(edges) + 1))

    def with_values(self, values: Iterable[float]) -> Histogram:
        """This histogram with ``values`` added."""
        counts, total = list(self.counts), self.total
        for value in values:
            counts[bisect_left(self.bounds, value)] += 1
            total += value
        return Histogram(self.bounds, tuple(counts), total)


CHECK_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELAY_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
ROUND_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_NO_CHECKS = Histogram.empty(CHECK_BOUNDS)
_NO_DELAYS = Histogram.empty(DELAY_BOUNDS)
_NO_ROUNDS = Histogram.empty(ROUND_BOUNDS)


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """One check: its state, its last report, and its counts.  ``durations`` counts all its probes."""

    state: CheckState = UNKNOWN
    last: CheckReport | None = None
    failures: Mapping[FailureReason, int] = field(default_factory=dict)
    errors: Mapping[ErrorReason, int] = field(default_factory=dict)
    durations: Histogram = _NO_CHECKS


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One real server of one virtual service.

    ``since``: when its health last changed (None if it was never known).  The time from an earlier process is kept if
    this process found the same health.  ``ups`` and ``downs`` count the changes between up and down.
    """

    health: Health = Health.UNKNOWN
    since: float | None = None
    ups: int = 0
    downs: int = 0


ServerKey = tuple[ServiceKey, DestinationKey]

SorryCalls = Mapping[tuple[ServiceKey, SorryAction, SorryOutcome], int]
"""Number of calls of sorry commands, by service, action and outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileStatus:
    """The work of the reconcile loop.

    ``last_table`` is the table as read back after the last round, ``pools`` and ``conditions`` are its decision, and
    ``pending`` are the operations that it could not apply, or did not apply in a dry run.
    ``converged_once``: a round has left the table in sync after every check had run.
    """

    rounds: int = 0
    errors: int = 0
    last_error: str = ""
    last_success_at: float | None = None
    durations: Histogram = _NO_ROUNDS
    last_table: Table | None = None
    pools: Mapping[ServiceKey, Pool] = field(default_factory=dict)
    conditions: Mapping[ServiceKey, ServiceCondition] = field(default_factory=dict)
    pending: tuple[Operation, ...] = ()
    drift: tuple[Drift, ...] = ()
    drift_repairs: int = 0
    operations: Mapping[str, int] = field(default_factory=dict)
    operation_errors: Mapping[tuple[str, str], int] = field(default_factory=dict)
    converged_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigStatus:
    """The configuration in force.  ``problems`` are the errors of the file that was read last, if it was invalid.

    ``digest`` is equal for configurations that mean the same; ``common_digest`` leaves out the settings of a single
    director.
    ``reconcile_interval_s``: the longest time between two rounds.
    """

    digest: str
    common_digest: str
    path: str
    loaded_at: float
    reconcile_interval_s: float
    last_reload_successful: bool = True
    reloads: int = 0
    reload_failures: int = 0
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """The checks: their load, the delays of their starts, and the age of the loop's last turn.

    ``workers``: the processes that run them, by state; ``worker_losses``: those that were replaced.
    """

    load: Load = field(default_factory=Load)
    workers: Mapping[WorkerState, int] = field(default_factory=dict)
    worker_losses: Mapping[LossCause, int] = field(default_factory=dict)
    delays: Histogram = _NO_DELAYS
    last_turn_age_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Whether the agent is live and ready, in constant size.

    It has the number of checks, the number of those that have not run yet, whether the table was in sync once after
    every check had run, and the seconds since the last turn of the check loop.
    """

    checks: int
    unreported: int
    converged_once: bool
    last_turn_age_s: float = 0.0

    @property
    def ready(self) -> bool:
        """Every check has run, and the table has been in sync once."""
        return not self.unreported and self.converged_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that the agent knows at one time.  ``writes`` False: it only observes."""

    taken_at: float
    started_at: float
    writes: bool
    intent: Intent
    config: ConfigStatus
    checks: Mapping[CheckId, CheckStatus]
    servers: Mapping[ServerKey, ServerStatus]
    reconcile: ReconcileStatus
    engine: EngineStatus
    log_messages: Mapping[str, int] = field(default_factory=dict)
    sorry_calls: SorryCalls = field(default_factory=dict)
    monitor_lines_dropped: int = 0

    @property
    def vitals(self) -> Vitals:
        """Whether the agent is live and ready; the state provides this without a snapshot too."""
        return Vitals(
            checks=len(self.checks),
            unreported=sum(status.last is None for status in self.checks.values()),
            converged_once=self.reconcile.converged_once,
            last_turn_age_s=self.engine.last_turn_age_s,
        )

    @property
    def ready(self) -> bool:
        """Every check has run, and the table has been in sync once."""
        return self.vitals.ready
