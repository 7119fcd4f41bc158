"""Metrics of real servers, sorry servers, and destinations that nobody configured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import CheckStatus, ServerStatus
from lvs_agent.metrics.kernel import COUNTED, address_labels
from lvs_agent.metrics.metric import (
    BOTH,
    KERNEL,
    SERVER,
    Column,
    Facts,
    Kind,
    Labels,
    Metric,
    Read,
    Scope,
    Summary,
    Value,
    counter,
    gauge,
    of_servers,
)
from lvs_agent.metrics.reading import Reading
from lvs_agent.model.check import CheckReport, Errored
from lvs_agent.model.ipvs import Destination
from lvs_agent.model.statistics import Counters, DestinationStatistics
from lvs_agent.view.columns import ColumnStore, is_maintained
from lvs_agent.view.series_index import SeriesIndex

_DIRECTIONS = ("up", "down")


def _info(reading: Reading) -> Column:
    columns = reading.columns
    heads, tails = columns.index.derived(_ends_of_info)
    configured = columns.index.derived(_configured_forwarding)
    forwarding = [
        row.forwarding.value if row else otherwise for row, otherwise in zip(columns.rows, configured, strict=True)
    ]
    labels = [(*head, method, tail) for head, method, tail in zip(heads, forwarding, tails, strict=True)]
    return Column(labels, [1] * len(labels))


def _ends_of_info(index: SeriesIndex) -> tuple[list[Labels], list[str]]:
    """What stands before and behind the forwarding method."""
    heads: list[Labels] = []
    for service, span in zip(index.services, index.spans, strict=True):
        address, port, proto, mark = address_labels(service.key)
        heads += [
            (*labels, address, port, str(key.address), str(key.port), proto, mark)
            for labels, key in zip(index.server_labels[span], index.server_keys[span], strict=True)
        ]
    return heads, ["false" if sorry is None else "true" for sorry in index.sorry_servers]


def _configured_forwarding(index: SeriesIndex) -> list[str]:
    """The forwarding method that the row will have where the kernel has none."""
    rows = (
        server.destination if server else sorry
        for server, sorry in zip(index.real_servers, index.sorry_servers, strict=True)
    )
    return ["" if row is None else row.forwarding.value for row in rows]


def _counted(value: Callable[[DestinationStatistics], int]) -> Read:
    return of_servers(lambda columns: [None if counted is None else value(counted) for counted in columns.counted])


def _total(value: Callable[[Counters], int]) -> Read:
    return of_servers(
        lambda columns: [None if counted is None else value(counted.counters) for counted in columns.counted]
    )


def _of_present(value: Callable[[Destination], int]) -> Read:
    return of_servers(lambda columns: [None if row is None else value(row) for row in columns.rows])


def _of_real(values: Callable[[ColumnStore], Sequence[Value | None]]) -> Read:
    """``values`` of the real servers; of everything else, none."""

    def of_columns(columns: ColumnStore) -> Sequence[Value | None]:
        found = values(columns)
        if columns.index.derived(_all_real):
            return found
        pairs = zip(columns.index.real_servers, found, strict=True)
        return [None if server is None else value for server, value in pairs]

    return of_servers(of_columns)


def _all_real(index: SeriesIndex) -> bool:
    return None not in index.real_servers


def _configured_weights(index: SeriesIndex) -> list[int | None]:
    return [None if server is None else server.destination.weight for server in index.real_servers]


def _transitions(reading: Reading) -> Column:
    """Zeros from the start: the first sample of a series is invisible to ``increase()``."""
    columns = reading.columns
    pairs = (
        (None, None) if server is None else (status.ups, status.downs)
        for server, status in zip(columns.index.real_servers, columns.statuses, strict=True)
    )
    return Column(columns.index.derived(_directed), list(chain.from_iterable(pairs)))


def _directed(index: SeriesIndex) -> list[Labels]:
    return [(*labels, to) for labels in index.server_labels for to in _DIRECTIONS]


def _since(status: ServerStatus) -> float | None:
    """None while it is not known which state the server is in, whatever was known before a reload."""
    return None if status.health is Health.UNKNOWN else status.since


def _duration(check: CheckStatus) -> Summary:
    durations = check.durations
    return Summary(sum(durations.counts), durations.total)


def _durations(checks: Sequence[CheckStatus]) -> Summary:
    numbers, totals = zip((0, 0.0), *map(_duration, checks), strict=True)
    return Summary(sum(numbers), sum(totals))


def _last_duration(reports: Sequence[CheckReport]) -> float | None:
    last = max(reports, key=lambda report: report.ended_at, default=None)
    return None if last is None else last.duration_s


def _last_end(reports: Sequence[CheckReport]) -> float | None:
    return min((end for report in reports if (end := _end(report)) is not None), default=None)


def _end(report: CheckReport) -> float | None:
    """None where no other follows: its age says nothing."""
    return None if report.is_final else report.ended_at


def _certificate_end(reports: Sequence[CheckReport]) -> float | None:
    ends = map(_end_in, reports)
    return min((end for end in ends if end is not None), default=None)


def _end_in(report: CheckReport) -> float | None:
    result = report.result
    return None if isinstance(result, Errored) else result.certificate_not_after


def _failed(check: CheckStatus) -> int:
    return sum(check.failures.values())


def _failures(checks: Sequence[CheckStatus]) -> int:
    return sum(map(_failed, checks))


def _of_checks(
    alone: Callable[[CheckStatus], Value | None], of_several: Callable[[Sequence[CheckStatus]], Value | None]
) -> Read:
    """One value for the checks of each server; ``alone``, which takes less time, where there is one check."""
    return _of_real(
        lambda columns: [alone(checks[0]) if len(checks) == 1 else of_several(checks) for checks in columns.checks]
    )


def _of_reports(
    alone: Callable[[CheckReport], Value | None], of_several: Callable[[Sequence[CheckReport]], Value | None]
) -> Read:
    """The same of their last reports."""
    return _of_real(
        lambda columns: [alone(reports[0]) if len(reports) == 1 else of_several(reports) for reports in columns.reports]
    )


_OF_STATE: Facts = {"labels": SERVER, "scope": Scope.SERVER}
_OF_KERNEL: Facts = {"labels": SERVER, "scope": Scope.SERVER, "sources": KERNEL}
_VITAL: Facts = {"vital": True}

METRICS = (
    Metric(
        name="lvs_real_server_info",
        kind=Kind.INFO,
        help="What a real server is; sorry_server is true for a sorry server.",
        read=_info,
        labels=(
            *SERVER,
            "local_address",
            "local_port",
            "remote_address",
            "remote_port",
            "proto",
            "local_mark",
            "forward_method",
            "sorry_server",
        ),
        scope=Scope.SERVER,
        sources=BOTH,
        vital=True,
    ),
    *(
        counter(
            f"lvs_real_server_{name}_total",
            f"{text} by a real server since its entry was made.",
            _total(value),
            **_OF_KERNEL,
        )
        for name, text, value in COUNTED
    ),
    gauge(
        "lvs_real_server_active_connections",
        "Active connections.",
        _counted(lambda counted: counted.active_connections),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_real_server_inactive_connections",
        "Inactive connections.",
        _counted(lambda counted: counted.inactive_connections),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_real_server_persistent_connections",
        "Persistence templates.",
        _counted(lambda counted: counted.persistent_connections),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_real_server_weight",
        "Kernel weight; absent if the server is not in the table.",
        _of_present(lambda row: row.weight),
        **(_OF_KERNEL | _VITAL),
    ),
    gauge(
        "lvs_real_server_configured_weight",
        "Weight that the server has while it is up.",
        of_servers(lambda columns: columns.index.derived(_configured_weights)),
        **(_OF_STATE | _VITAL),
    ),
    gauge(
        "lvs_real_server_wanted_weight",
        "Desired weight, as decided last; absent if the server should not be in the table.",
        of_servers(lambda columns: [None if row is None else row.weight for row in columns.wanted]),
        **(_OF_STATE | _VITAL),
    ),
    gauge(
        "lvs_real_server_connection_limit",
        "Number of connections at which the kernel stops sending new ones (upper threshold); 0 means no limit.",
        _of_present(lambda row: row.upper_threshold),
        **_OF_KERNEL,
    ),
    gauge(
        "lvs_real_server_up",
        "1 if the checks say that the server is up, after rise and fall; 0 if it is down or not known yet.",
        _of_real(lambda columns: [int(status.health is Health.UP) for status in columns.statuses]),
        **(_OF_STATE | _VITAL),
    ),
    gauge(
        "lvs_real_server_maintenance",
        "1 if an operator took the server out of service.",
        _of_real(lambda columns: [int(is_maintained(placement)) for placement in columns.placements]),
        **(_OF_STATE | _VITAL),
    ),
    counter(
        "lvs_real_server_transitions_total",
        "Changes from down to up and from up to down.",
        _transitions,
        labels=(*SERVER, "to"),
        scope=Scope.SERVER,
        variants=len(_DIRECTIONS),
        vital=True,
    ),
    gauge(
        "lvs_real_server_last_transition_timestamp_seconds",
        "When the server entered its present state; absent while the state is unknown.",
        _of_real(lambda columns: [_since(status) for status in columns.statuses]),
        **(_OF_STATE | _VITAL),
    ),
    Metric(
        name="lvs_real_server_check_duration_seconds",
        kind=Kind.SUMMARY,
        help="How long checks took; the count is the number of checks done.",
        read=_of_checks(_duration, _durations),
        **_OF_STATE,
    ),
    gauge(
        "lvs_real_server_check_last_duration_seconds",
        "How long the last check took.",
        _of_reports(lambda report: report.duration_s, _last_duration),
        **_OF_STATE,
    ),
    gauge(
        "lvs_real_server_check_last_timestamp_seconds",
        "When the last check ended; with several checks, the earliest of these times; absent if the result cannot"
        " change, as with the type none.",
        _of_reports(_end, _last_end),
        **_OF_STATE,
    ),
    counter("lvs_real_server_check_failures_total", "Failed checks.", _of_checks(_failed, _failures), **_OF_STATE),
    gauge(
        "lvs_real_server_check_certificate_not_after_timestamp_seconds",
        "When the certificate of the server expires; with several, the earliest; absent if none was seen.",
        _of_reports(_end_in, _certificate_end),
        **_OF_STATE,
    ),
)
