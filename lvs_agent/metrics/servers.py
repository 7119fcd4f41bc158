"""Metrics of real servers, sorry servers, and destinations that nobody configured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lvs_agent.core.health import Health
from lvs_agent.metrics.inventory import KnownServer
from lvs_agent.metrics.kernel import COUNTED, address_labels
from lvs_agent.metrics.reading import (
    SERVER,
    Kind,
    Metric,
    Reading,
    Samples,
    Summary,
    Value,
    counter,
    gauge,
    of_servers,
)
from lvs_agent.model.check import CheckReport, Errored
from lvs_agent.model.intent import RealServer
from lvs_agent.model.ipvs import Destination
from lvs_agent.model.statistics import Counters, DestinationStatistics


def _info(reading: Reading) -> Samples:
    for service in reading.inventory.services:
        address, port, proto, mark = address_labels(service.key)
        for server in service.servers:
            remote = (str(server.key.address), str(server.key.port))
            fallback = "true" if server.fallback else "false"
            yield (*server.labels, address, port, *remote, proto, mark, server.forwarding, fallback), 1


def _counted(value: Callable[[DestinationStatistics], int]) -> Callable[[Reading], Samples]:
    return of_servers(lambda server: None if server.counted is None else value(server.counted))


def _total(value: Callable[[Counters], int]) -> Callable[[Reading], Samples]:
    return _counted(lambda counted: value(counted.counters))


def _of_present(value: Callable[[Destination], int]) -> Callable[[Reading], Samples]:
    return of_servers(lambda server: None if server.present is None else value(server.present))


def _of_configured(value: Callable[[RealServer, KnownServer], Value | None]) -> Callable[[Reading], Samples]:
    return of_servers(lambda server: None if server.configured is None else value(server.configured, server))


def _transitions(reading: Reading) -> Samples:
    """Zeros from the start: the first sample of a series is invisible to ``increase()``."""
    for service in reading.inventory.services:
        for server in service.real_servers:
            yield (*server.labels, "up"), server.status.ups
            yield (*server.labels, "down"), server.status.downs


def _durations(server: KnownServer) -> Summary:
    histograms = [status.durations for _, status in server.checks]
    return Summary(
        count=sum(sum(histogram.counts) for histogram in histograms),
        total=sum(histogram.total for histogram in histograms),
    )


def _reports(server: KnownServer) -> Iterator[CheckReport]:
    return (status.last for _, status in server.checks if status.last is not None)


def _last_duration(server: KnownServer) -> float | None:
    last = max(_reports(server), key=lambda report: report.ended_at, default=None)
    return None if last is None else last.duration_s


def _last_end(server: KnownServer) -> float | None:
    return min((report.ended_at for report in _reports(server)), default=None)


def _since(server: KnownServer) -> float | None:
    """None while it is not known which state the server is in, whatever was known before a reload."""
    return None if server.status.health is Health.UNKNOWN else server.status.since


def _failures(server: KnownServer) -> int:
    return sum(sum(status.failures.values()) for _, status in server.checks)


def _certificate_end(server: KnownServer) -> float | None:
    results = (report.result for report in _reports(server))
    ends = (result.certificate_not_after for result in results if not isinstance(result, Errored))
    return min((end for end in ends if end is not None), default=None)


METRICS = (
    Metric(
        name="lvs_real_server_info",
        kind=Kind.INFO,
        help="What a real server is; fallback is true for a sorry server.",
        samples=_info,
        labels=(
            *SERVER,
            "local_address",
            "local_port",
            "remote_address",
            "remote_port",
            "proto",
            "local_mark",
            "forward_method",
            "fallback",
        ),
    ),
    *(
        counter(
            f"lvs_real_server_{name}_total",
            f"{text} by a real server since its entry was made.",
            _total(value),
            labels=SERVER,
        )
        for name, text, value in COUNTED
    ),
    gauge(
        "lvs_real_server_active_connections",
        "Active connections.",
        _counted(lambda counted: counted.active_connections),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_inactive_connections",
        "Inactive connections.",
        _counted(lambda counted: counted.inactive_connections),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_persistent_connections",
        "Persistence templates.",
        _counted(lambda counted: counted.persistent_connections),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_weight",
        "Weight in the kernel; absent if the server is not in the table.",
        _of_present(lambda row: row.weight),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_configured_weight",
        "Weight that the server has while it is up.",
        _of_configured(lambda configured, _: configured.destination.weight),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_wanted_weight",
        "Weight that the kernel should have now, as decided last; absent if the server should not be in the table.",
        of_servers(lambda server: None if server.wanted is None else server.wanted.weight),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_connection_limit",
        "Connections from which on the kernel sends no new ones (upper threshold); 0 is no limit.",
        _of_present(lambda row: row.upper_threshold),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_up",
        "1 if the checks say that the server is up, after rise and fall; 0 if it is down or not known yet.",
        _of_configured(lambda _, server: int(server.status.health is Health.UP)),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_maintenance",
        "1 if an operator took the server out of service.",
        _of_configured(lambda _, server: int(server.maintained)),
        labels=SERVER,
    ),
    counter(
        "lvs_real_server_transitions_total",
        "Changes from down to up and from up to down.",
        _transitions,
        labels=(*SERVER, "to"),
    ),
    gauge(
        "lvs_real_server_last_transition_timestamp_seconds",
        "When the server came into the state that it is in; absent while that is unknown.",
        _of_configured(lambda _, server: _since(server)),
        labels=SERVER,
    ),
    Metric(
        name="lvs_real_server_check_duration_seconds",
        kind=Kind.SUMMARY,
        help="How long checks took; the count is the number of checks done.",
        samples=_of_configured(lambda _, server: _durations(server)),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_check_last_duration_seconds",
        "How long the last check took.",
        _of_configured(lambda _, server: _last_duration(server)),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_check_last_timestamp_seconds",
        "When the last check ended; of several checks, that of the one that has waited longest.",
        _of_configured(lambda _, server: _last_end(server)),
        labels=SERVER,
    ),
    counter(
        "lvs_real_server_check_failures_total",
        "Failed checks.",
        _of_configured(lambda _, server: _failures(server)),
        labels=SERVER,
    ),
    gauge(
        "lvs_real_server_check_certificate_not_after_timestamp_seconds",
        "When the certificate that the server showed expires; of several, the first; absent where none was seen.",
        _of_configured(lambda _, server: _certificate_end(server)),
        labels=SERVER,
    ),
)
