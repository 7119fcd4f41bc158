"""What a scrape is made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from types import MappingProxyType

from lvs_agent.core.snapshot import Snapshot
from lvs_agent.metrics.columns import Columns
from lvs_agent.metrics.roster import Rosters
from lvs_agent.model.statistics import KernelInfo, Statistics


class Source(Enum):
    """Where a reading comes from; the ``collector`` label."""

    STATE = "state"
    """The agent's own snapshot."""
    NETLINK = "netlink"
    """The kernel's table with its statistics."""
    PROC = "proc"
    """Facts about IPVS as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRun:
    """How asking one source went."""

    success: bool
    duration_s: float


_NO_RUNS: Mapping[Source, SourceRun] = MappingProxyType({})


class NotKnown(Exception):
    """What a metric is about could not be read at all; who read it has said so."""


class Reading:
    """Everything that one scrape shows.

    ``snapshot``, ``statistics`` or ``info`` None: that source did not answer, or was not asked.  ``rosters`` are worth
    keeping from one reading to the next; two threads must not use them at once.
    """

    def __init__(
        self,
        *,
        snapshot: Snapshot | None,
        statistics: Statistics | None = None,
        info: KernelInfo | None = None,
        sources: Mapping[Source, SourceRun] = _NO_RUNS,
        rosters: Rosters | None = None,
    ) -> None:
        self.statistics = statistics
        self.info = info
        self.sources = sources
        self._snapshot = snapshot
        self._rosters = rosters or Rosters()

    @property
    def snapshot(self) -> Snapshot:
        """What the agent knows.  Raises NotKnown."""
        if self._snapshot is None:
            raise NotKnown
        return self._snapshot

    @cached_property
    def columns(self) -> Columns:
        """Snapshot and statistics joined.  Raises NotKnown."""
        table = self.statistics.table if self.statistics else None
        return Columns(self.snapshot, table=table, statistics=self.statistics, rosters=self._rosters)

    def with_rosters(self, rosters: Rosters) -> Reading:
        """The same with ``rosters``."""
        return Reading(
            snapshot=self._snapshot,
            statistics=self.statistics,
            info=self.info,
            sources=self.sources,
            rosters=rosters,
        )

    def with_failed(self, failed: Collection[Source]) -> Reading:
        """The same, but these sources have failed."""
        runs = self.sources.items()
        sources = {source: replace(run, success=run.success and source not in failed) for source, run in runs}
        return Reading(snapshot=self._snapshot, statistics=self.statistics, info=self.info, sources=sources)
