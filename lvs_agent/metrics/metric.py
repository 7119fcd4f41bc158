"""The shape of one metric in the table, and what the metrics are built with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypedDict, Unpack

from lvs_agent.core.snapshot import Histogram
from lvs_agent.metrics.reading import Reading, Source
from lvs_agent.view.columns import ColumnStore


class Kind(Enum):
    """Type of a metric; the value is OpenMetrics' word."""

    COUNTER = "counter"
    GAUGE = "gauge"
    INFO = "info"
    SUMMARY = "summary"
    HISTOGRAM = "histogram"


SUFFIXES = {
    Kind.COUNTER: ("_total",),
    Kind.GAUGE: ("",),
    Kind.INFO: ("_info",),
    Kind.SUMMARY: ("_count", "_sum"),
    Kind.HISTOGRAM: ("_bucket", "_count", "_sum"),
}
"""What OpenMetrics puts behind the name of a family to name its samples."""


class Scope(Enum):
    """What a metric has one series for, or a fixed number of them."""

    HOST = "host"
    SERVICE = "virtual service"
    SERVER = "real server"


class Summary(NamedTuple):
    """How many observations there were, and their sum."""

    number: int
    total: float


Labels = tuple[str, ...]
Value = float | Histogram | Summary
Samples = Iterable[tuple[Labels, Value]]
"""Label values in the order of the metric's labels, and the value."""


@dataclass(frozen=True, slots=True)
class Column:
    """One family: label values, and the value of each beside them.  A value of None makes no series.

    Where the labels are the ones of the last scrape, the same list is best: then nobody has to compare them.
    """

    labels: Sequence[Labels]
    values: Sequence[Value | None]


Read = Callable[[Reading], Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its whole definition.

    ``name`` is the one that is queried (with ``_total`` or ``_info``, without ``_bucket``, ``_sum`` and ``_count``).
    ``sources``: any of them is reason enough to show it; the first one is to blame where it cannot be made.
    ``variants``: the most combinations of labels that one service or server has.  ``vital``: it says whether a real
    server is in service.  ``last``: it is about the others.
    """

    name: str
    kind: Kind
    help: str
    read: Read
    labels: tuple[str, ...] = ()
    scope: Scope = Scope.HOST
    sources: tuple[Source, ...] = (Source.STATE,)
    variants: int = 1
    vital: bool = False
    last: bool = False

    @property
    def family(self) -> str:
        """The name of the family in OpenMetrics."""
        return self.name.removesuffix(SUFFIXES[self.kind][0]) if self.kind in _SUFFIXED else self.name

    def samples(self, reading: Reading) -> Samples:
        """One after another."""
        column = self.read(reading)
        pairs = zip(column.labels, column.values, strict=True)
        return [(labels, value) for labels, value in pairs if value is not None]


_SUFFIXED = (Kind.COUNTER, Kind.INFO)
SERVICE = ("virtual_service",)
SERVER = ("virtual_service", "real_server")
KERNEL = (Source.NETLINK,)
PROC = (Source.PROC,)
BOTH = (Source.NETLINK, Source.STATE)
"""For metrics about the kernel's row where there is one, else about the configured one."""


def listed(samples: Callable[[Reading], Samples]) -> Read:
    """A column of single samples; of the same labels, the last ones count."""

    def read(reading: Reading) -> Column:
        found = dict(samples(reading))
        return Column(tuple(found), tuple(found.values()))

    return read


def single(value: Callable[[Reading], Value | None]) -> Read:
    """One series without labels; none where ``value`` is None."""
    return lambda reading: Column(_NO_LABELS, (value(reading),))


_NO_LABELS = ((),)


def of_services(values: Callable[[ColumnStore], Sequence[Value | None]]) -> Read:
    """One series a service; ``values`` beside the services of the index."""
    return lambda reading: Column(reading.columns.index.service_labels, values(reading.columns))


def of_servers(values: Callable[[ColumnStore], Sequence[Value | None]]) -> Read:
    """One series a server; ``values`` beside the servers of the index."""
    return lambda reading: Column(reading.columns.index.server_labels, values(reading.columns))


class Facts(TypedDict, total=False):
    """What else there is to say of a metric, as the fields of ``Metric``."""

    labels: tuple[str, ...]
    scope: Scope
    sources: tuple[Source, ...]
    variants: int
    vital: bool
    last: bool


def counter(name: str, text: str, read: Read, **facts: Unpack[Facts]) -> Metric:
    """A metric that only grows while the agent runs."""
    return Metric(name=name, kind=Kind.COUNTER, help=text, read=read, **facts)


def gauge(name: str, text: str, read: Read, **facts: Unpack[Facts]) -> Metric:
    """A metric that goes up and down."""
    return Metric(name=name, kind=Kind.GAUGE, help=text, read=read, **facts)
