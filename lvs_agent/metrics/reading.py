"""What a scrape is made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from types import MappingProxyType

from lvs_agent.core.snapshot import Snapshot
from lvs_agent.model.statistics import KernelInfo, Statistics
from lvs_agent.view.columns import ColumnStore
from lvs_agent.view.series_index import IndexCache


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
    """The source of a metric could not be read; the reader of that source has logged it."""


class Reading:
    """Everything that one scrape shows.

    ``snapshot``, ``statistics`` or ``info`` None: that source did not answer, or was not asked.  ``indexes`` has the
    index of earlier readings; a reading without statistics should have others, because it indexes fewer rows.
    """

    def __init__(
        self,
        *,
        snapshot: Snapshot | None,
        statistics: Statistics | None = None,
        info: KernelInfo | None = None,
        sources: Mapping[Source, SourceRun] = _NO_RUNS,
        indexes: IndexCache | None = None,
    ) -> None:
        self.statistics = statistics
        self.info = info
        self.sources = sources
        self._snapshot = snapshot
        self._indexes = indexes or IndexCache()

    @property
    def snapshot(self) -> Snapshot:
        """What the agent knows.  Raises NotKnown."""
        if self._snapshot is None:
            raise NotKnown
        return self._snapshot

    @cached_property
    def columns(self) -> ColumnStore:
        """Snapshot and statistics joined.  Raises NotKnown."""
        table = self.statistics.table if self.statistics else None
        return ColumnStore(self.snapshot, table=table, statistics=self.statistics, indexes=self._indexes)

    def with_failed(self, failed: Collection[Source]) -> Reading:
        """The same, but these sources have failed."""
        runs = self.sources.items()
        sources = {source: replace(run, success=run.success and source not in failed) for source, run in runs}
        return Reading(
            snapshot=self._snapshot,
            statistics=self.statistics,
            info=self.info,
            sources=sources,
            indexes=self._indexes,
        )
