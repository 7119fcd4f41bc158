"""The interface to an IPVS table, in a real kernel (``netlink``) or in memory (``memory``)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from lvs_agent.model.ipvs import Operation, ServiceKey, Table
from lvs_agent.model.outline import Outline
from lvs_agent.model.statistics import KernelInfo, Statistics


class IpvsBackend(Protocol):
    """A blocking connection to one IPVS table.

    Every method may be called from any thread, one caller at a time.  Every method may raise ``IpvsError``.
    """

    def read_table(self, services: Collection[ServiceKey] | None = None) -> Table:
        """The whole table, or only those of ``services`` that exist."""

    def read_outline(self) -> Outline:
        """The part of the table in /proc/net/ip_vs: enough to notice most changes, at a fraction of the cost."""

    def read_statistics(self) -> Statistics:
        """The whole table with its counters."""

    def read_info(self) -> KernelInfo:
        """Facts about IPVS as a whole."""

    def apply(self, operation: Operation) -> None:
        """Make one change.  Returns when the kernel has acknowledged it."""

    def close(self) -> None:
        """Close the sockets; further calls are errors."""
