"""What the metrics are made from, and the shape of one metric in the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from lvs_agent.core.snapshot import Histogram, Snapshot
from lvs_agent.metrics.inventory import Inventory, KnownServer, KnownService, take_inventory
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything that one scrape shows.  ``statistics`` or ``info`` None: that source did not answer."""

    snapshot: Snapshot
    statistics: Statistics | None = None
    info: KernelInfo | None = None
    sources: Mapping[Source, SourceRun] = field(default_factory=dict)
    inventory: Inventory = field(init=False)

    def __post_init__(self) -> None:
        table = self.statistics.table if self.statistics else None
        inventory = take_inventory(self.snapshot, table=table, statistics=self.statistics)
        object.__setattr__(self, "inventory", inventory)


class Kind(Enum):
    """Type of a metric; the value is OpenMetrics' word."""

    COUNTER = "counter"
    GAUGE = "gauge"
    INFO = "info"
    SUMMARY = "summary"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many observations there were, and their sum."""

    count: int
    total: float


Value = float | Histogram | Summary
Samples = Iterable[tuple[tuple[str, ...], Value]]
"""Label values in the order of the metric's labels, and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its whole definition.

    ``name`` is the one that is queried (with ``_total`` or ``_info``, without ``_bucket``, ``_sum`` and ``_count``).
    ``samples`` yields each combination of label values at most once; a Histogram or Summary for those kinds.
    """

    name: str
    kind: Kind
    help: str
    samples: Callable[[Reading], Samples]
    labels: tuple[str, ...] = ()


SERVICE = ("virtual_service",)
SERVER = ("virtual_service", "real_server")


def of_agent(value: Callable[[Reading], Value | None]) -> Callable[[Reading], Samples]:
    """One series without labels; none where ``value`` is None."""

    def samples(reading: Reading) -> Samples:
        found = value(reading)
        return () if found is None else (((), found),)

    return samples


def of_services(value: Callable[[KnownService], Value | None]) -> Callable[[Reading], Samples]:
    """One series a service; none where ``value`` is None."""

    def samples(reading: Reading) -> Samples:
        for service in reading.inventory.services:
            found = value(service)
            if found is not None:
                yield (service.name,), found

    return samples


def of_servers(value: Callable[[KnownServer], Value | None]) -> Callable[[Reading], Samples]:
    """One series a server; none where ``value`` is None."""

    def samples(reading: Reading) -> Samples:
        for service in reading.inventory.services:
            for server in service.servers:
                found = value(server)
                if found is not None:
                    yield server.labels, found

    return samples


def counter(name: str, text: str, samples: Callable[[Reading], Samples], *, labels: tuple[str, ...] = ()) -> Metric:
    """A metric that only grows while the agent runs."""
    return Metric(name=name, kind=Kind.COUNTER, help=text, samples=samples, labels=labels)


def gauge(name: str, text: str, samples: Callable[[Reading], Samples], *, labels: tuple[str, ...] = ()) -> Metric:
    """A metric that goes up and down."""
    return Metric(name=name, kind=Kind.GAUGE, help=text, samples=samples, labels=labels)
