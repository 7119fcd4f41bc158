"""Metrics of virtual services: ours by their configured name, others in the table by their key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from lvs_agent.core.reconcile import DriftKind
from lvs_agent.core.snapshot import CHECK_BOUNDS, CheckStatus, Histogram
from lvs_agent.metrics.kernel import COUNTED, address_labels
from lvs_agent.metrics.metric import (
    BOTH,
    KERNEL,
    SERVICE,
    Column,
    Facts,
    Kind,
    Labels,
    Metric,
    Read,
    Scope,
    Value,
    counter,
    gauge,
    of_services,
)
from lvs_agent.metrics.reading import Reading
from lvs_agent.model.check import CheckSpec, FailureReason
from lvs_agent.model.intent import VirtualService
from lvs_agent.model.statistics import Counters, DestinationStatistics
from lvs_agent.view.columns import ColumnStore
from lvs_agent.view.series_index import SeriesIndex
from lvs_agent.view.words import flags_of

STATES = ("up", "down", "maintenance", "unknown")


def _info(reading: Reading) -> Column:
    columns = reading.columns
    labels: list[Labels] = []
    for place, service in enumerate(columns.index.services):
        address, port, proto, mark = address_labels(service.key)
        row = columns.row(place)
        flags = ",".join(flags_of(row))
        labels.append((service.name, address, port, proto, mark, service.key.family.word, row.scheduler, flags))
    return Column(labels, [1] * len(labels))


def _counted(value: Callable[[Counters], int]) -> Read:
    return of_services(lambda columns: [None if counters is None else value(counters) for counters in columns.counters])


def _connections(value: Callable[[DestinationStatistics], int]) -> Read:
    def sums(columns: ColumnStore) -> list[Value | None]:
        return [
            None
            if counters is None
            else sum(value(counted) for counted in columns.counted[span] if counted is not None)
            for counters, span in zip(columns.counters, columns.index.spans, strict=True)
        ]

    return of_services(sums)


def _weights(columns: ColumnStore) -> list[Value | None]:
    """A configured service that the kernel does not have has the weight 0, not none: an alert must see it.

    A sorry server does not count as capacity: a heavy one would hide that no real server is left.
    """
    index = columns.index
    if not columns.table_known:
        return [None] * len(index.services)
    weights = [
        0 if row is None or (sorry is not None and real is None) else row.weight
        for row, real, sorry in zip(columns.rows, index.real_servers, index.sorry_servers, strict=True)
    ]
    return [sum(weights[span]) for span in index.spans]


def _configured(value: Callable[[VirtualService], Value | None]) -> Read:
    return of_services(
        lambda columns: [
            None if service.configured is None else value(service.configured) for service in columns.index.services
        ]
    )


def _states(reading: Reading) -> Column:
    columns = reading.columns
    values: list[Value | None] = []
    for service, span in zip(columns.index.services, columns.index.spans, strict=True):
        states = columns.states[span]
        values += [None if service.configured is None else states.count(state) for state in STATES]
    return Column(columns.index.derived(_by_state), values)


def _by_state(index: SeriesIndex) -> list[Labels]:
    return [(*labels, state) for labels in index.service_labels for state in STATES]


def _quorums_up(columns: ColumnStore) -> list[Value | None]:
    return [
        None if service.configured is None else int(condition.quorum_reached is True)
        for service, condition in zip(columns.index.services, columns.conditions, strict=True)
    ]


def _sorry_servers_active(columns: ColumnStore) -> list[Value | None]:
    return [
        None if service.configured is None else int(condition.sorry_active is True)
        for service, condition in zip(columns.index.services, columns.conditions, strict=True)
    ]


def _persistences(columns: ColumnStore) -> list[Value | None]:
    rows = map(columns.row, range(len(columns.index.services)))
    return [0 if row.persistence is None else row.persistence.timeout_s for row in rows]


def _intervals(index: SeriesIndex) -> list[float | None]:
    return _longest(index, lambda spec: max(spec.interval_s, spec.down_interval_s))


def _timeouts(index: SeriesIndex) -> list[float | None]:
    return _longest(index, lambda spec: spec.timeout_s)


def _longest(index: SeriesIndex, time: Callable[[CheckSpec], float]) -> list[float | None]:
    return [
        max((time(spec) for place in range(span.start, span.stop) for spec in index.specs(place)), default=None)
        for span in index.spans
    ]


def _kinds(index: SeriesIndex) -> list[dict[str, list[tuple[int, int]]]]:
    """Of each service, by kind of check: the server's place, and the check's place among those of the server."""
    return [_kinds_of(index, span) for span in index.spans]


def _kinds_of(index: SeriesIndex, span: slice) -> dict[str, list[tuple[int, int]]]:
    places: dict[str, list[tuple[int, int]]] = {}
    for server in range(span.start, span.stop):
        for number, spec in enumerate(index.specs(server)):
            places.setdefault(spec.kind, []).append((server, number))
    return places


def _by_kind(index: SeriesIndex) -> list[Labels]:
    pairs = zip(index.service_labels, index.derived(_kinds), strict=True)
    return [(*labels, kind) for labels, places in pairs for kind in places]


def _by_reason(index: SeriesIndex) -> list[Labels]:
    return [(*labels, reason.value) for labels in index.derived(_by_kind) for reason in FailureReason]


def _checks(columns: ColumnStore) -> Iterator[list[CheckStatus]]:
    """The statuses of all checks of one kind of one service, beside ``_by_kind``."""
    for places in columns.index.derived(_kinds):
        for found in places.values():
            yield [columns.checks[server][number] for server, number in found]


def _durations(reading: Reading) -> Column:
    columns = reading.columns
    sums = [_sum([status.durations for status in checks]) for checks in _checks(columns)]
    return Column(columns.index.derived(_by_kind), sums)


def _sum(histograms: Sequence[Histogram]) -> Histogram:
    counts = tuple(map(sum, zip(*(histogram.counts for histogram in histograms), strict=True)))
    return Histogram(CHECK_BOUNDS, counts, sum(histogram.total for histogram in histograms))


def _failures(reading: Reading) -> Column:
    """Zeros from the start: the first sample of a series is invisible to ``increase()``."""
    columns = reading.columns
    values: list[int] = []
    for checks in _checks(columns):
        counts = dict.fromkeys(FailureReason, 0)
        for status in checks:
            for reason, count in status.failures.items():
                counts[reason] += count
        values += counts.values()
    return Column(columns.index.derived(_by_reason), values)


def _drift(reading: Reading) -> Column:
    index = reading.columns.index
    counts = Counter((drift.service, drift.kind) for drift in reading.snapshot.reconcile.drift)
    values = [
        None if service.configured is None else counts[service.key, kind]
        for service in index.services
        for kind in DriftKind
    ]
    return Column(index.derived(_by_drift), values)


def _by_drift(index: SeriesIndex) -> list[Labels]:
    return [(*labels, kind.value) for labels in index.service_labels for kind in DriftKind]


_OF_STATE: Facts = {"labels": SERVICE, "scope": Scope.SERVICE}
_OF_KERNEL: Facts = {"labels": SERVICE, "scope": Scope.SERVICE, "sources": KERNEL}

METRICS = (
    Metric(
        name="lvs_virtual_service_info",
        kind=Kind.INFO,
        help="What a virtual service is: from the kernel if it has the service, else from the configuration.",
        read=_info,
        labels=(
            *SERVICE,
            "local_address",
            "local_port",
            "proto",
            "local_mark",
            "address_family",
            "scheduler",
            "flags",
        ),
        scope=Scope.SERVICE,
        sources=BOTH,
    ),
    *(
        counter(f"lvs_virtual_service_{name}_total", f"{text} by a virtual service.", _counted(value), **_OF_KERNEL)
        for name, text, value in COUNTED
    ),
    gauge(
        "lvs_virtual_service_active_connections",
        "Active connections of all servers of a virtual service.",
        _connections(lambda counted: counted.active_connections),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_virtual_service_inactive_connections",
        "Inactive connections of all servers of a virtual service.",
        _connections(lambda counted: counted.inactive_connections),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_virtual_service_persistent_connections",
        "Persistence templates of all servers of a virtual service.",
        _connections(lambda counted: counted.persistent_connections),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_virtual_service_weight",
        "Sum of the kernel weights without that of the sorry server.",
        of_services(_weights),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_virtual_service_configured_weight",
        "Sum of the configured weights of the real servers.",
        _configured(lambda configured: sum(server.destination.weight for server in configured.real_servers)),
        **_OF_STATE,
    ),
    gauge(
        "lvs_virtual_service_real_servers",
        "Configured real servers by their state.",
        _states,
        labels=(*SERVICE, "state"),
        scope=Scope.SERVICE,
        variants=len(STATES),
    ),
    gauge(
        "lvs_virtual_service_quorum",
        "Real servers that must be up for the service to count as healthy.",
        _configured(lambda configured: configured.quorum),
        **_OF_STATE,
    ),
    gauge(
        "lvs_virtual_service_quorum_up",
        "1 if the quorum is reached, 0 if it is not or is not known.",
        of_services(_quorums_up),
        **_OF_STATE,
    ),
    gauge(
        "lvs_virtual_service_sorry_server_active",
        "1 while the sorry server is active.",
        of_services(_sorry_servers_active),
        **_OF_STATE,
    ),
    gauge(
        "lvs_virtual_service_persistence_timeout_seconds",
        "How long a client keeps its real server (persistence timeout); 0 without persistence.",
        of_services(_persistences),
        labels=SERVICE,
        scope=Scope.SERVICE,
        sources=BOTH,
    ),
    gauge(
        "lvs_virtual_service_check_interval_seconds",
        "Longest configured interval between two checks of a server, including the one for servers that are down.",
        of_services(lambda columns: columns.index.derived(_intervals)),
        **_OF_STATE,
    ),
    gauge(
        "lvs_virtual_service_check_timeout_seconds",
        "Longest time that a check of a server may take, as configured.",
        of_services(lambda columns: columns.index.derived(_timeouts)),
        **_OF_STATE,
    ),
    Metric(
        name="lvs_virtual_service_check_duration_seconds",
        kind=Kind.HISTOGRAM,
        help="How long checks took, by kind of check.",
        read=_durations,
        labels=(*SERVICE, "check"),
        scope=Scope.SERVICE,
    ),
    counter(
        "lvs_virtual_service_check_failures_total",
        "Failed checks by kind of check and reason.",
        _failures,
        labels=(*SERVICE, "check", "reason"),
        scope=Scope.SERVICE,
        variants=len(FailureReason),
    ),
    gauge(
        "lvs_virtual_service_drift_entries",
        "Entries that somebody else had changed, at the last comparison.",
        _drift,
        labels=(*SERVICE, "kind"),
        scope=Scope.SERVICE,
        variants=len(DriftKind),
    ),
)
