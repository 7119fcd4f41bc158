"""The kernel's counters, and facts about IPVS as a whole.

Statistics are separate from the rows of a table, so that a comparison of tables ignores counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lvs_agent.model.ipvs import DestinationKey, ServiceKey, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """64-bit counters since the entry was added (``IPVS_*_ATTR_STATS64``)."""

    connections: int = 0
    incoming_packets: int = 0
    outgoing_packets: int = 0
    incoming_bytes: int = 0
    outgoing_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The kernel's own estimates per second: averages over about the last ten seconds.

    They are valid only while ``net.ipv4.vs.run_estimation`` is not 0; see ``KernelInfo.estimates``.
    """

    connections: int = 0
    incoming_packets: int = 0
    outgoing_packets: int = 0
    incoming_bytes: int = 0
    outgoing_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatistics:
    """Counters of a destination and its current connections.  ``rates`` None: the kernel has none."""

    counters: Counters = Counters()
    rates: Rates | None = None
    active_connections: int = 0
    inactive_connections: int = 0
    persistent_connections: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """One reading of the whole table with everything that the kernel counts.

    ``service_rates`` has the services whose rates the kernel has.
    """

    table: Table
    services: Mapping[ServiceKey, Counters]
    destinations: Mapping[tuple[ServiceKey, DestinationKey], DestinationStatistics]
    service_rates: Mapping[ServiceKey, Rates] = field(default_factory=lambda: MappingProxyType({}))

    def without_rates(self) -> Statistics:
        """The same reading without rates, for a kernel that does not keep them up to date."""
        destinations = {key: replace(counted, rates=None) for key, counted in self.destinations.items()}
        return replace(self, destinations=MappingProxyType(destinations), service_rates=MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDaemon:
    """A running connection-synchronisation daemon; ``role`` is ``"master"`` or ``"backup"``."""

    role: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelInfo:
    """Facts about IPVS as a whole.  None if the running kernel does not show them."""

    version: str | None = None
    connection_table_size: int | None = None
    totals: Counters | None = None
    sysctls: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    sync_daemons: tuple[SyncDaemon, ...] = ()

    @property
    def estimates(self) -> bool:
        """Whether the kernel keeps rates up to date.  A kernel without this setting (before Linux 5.19) always does."""
        return self.sysctls.get("run_estimation", 1) != 0
