"""Metrics of virtual services: ours by their configured name, others in the table by their key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from lvs_agent.core.health import Health
from lvs_agent.core.reconcile import DriftKind
from lvs_agent.core.snapshot import CHECK_BOUNDS, Histogram
from lvs_agent.metrics.inventory import KnownServer, KnownService
from lvs_agent.metrics.kernel import COUNTED, address_labels
from lvs_agent.metrics.reading import (
    SERVICE,
    Kind,
    Metric,
    Reading,
    Samples,
    Value,
    counter,
    gauge,
    of_services,
)
from lvs_agent.model.check import CheckSpec, FailureReason
from lvs_agent.model.intent import VirtualService
from lvs_agent.model.ipvs import SCHEDULER_FLAG_NAMES, SchedulerFlag, Service
from lvs_agent.model.statistics import Counters, DestinationStatistics

STATES = ("up", "down", "maintenance", "unknown")


def flags_of(service: Service) -> tuple[str, ...]:
    """The words for everything special about a service's row, scheduler flags as ipvsadm names them."""
    words = ["persistent"] if service.persistence is not None else []
    words += ["one-packet"] if service.one_packet else []
    return (*words, *(_flag_word(flag, service.scheduler) for flag in service.scheduler_flags))


def _flag_word(flag: SchedulerFlag, scheduler: str) -> str:
    words = [word for word, meant in SCHEDULER_FLAG_NAMES.items() if meant is flag]
    return next((word for word in words if word.startswith(f"{scheduler}-")), words[0])


def _info(reading: Reading) -> Samples:
    for service in reading.inventory.services:
        address, port, proto, mark = address_labels(service.key)
        family, flags = service.key.family.word, ",".join(flags_of(service.row))
        yield (service.name, address, port, proto, mark, family, service.row.scheduler, flags), 1


def _counted(value: Callable[[Counters], int]) -> Callable[[Reading], Samples]:
    return of_services(lambda service: None if service.counters is None else value(service.counters))


def _connections(value: Callable[[DestinationStatistics], int]) -> Callable[[Reading], Samples]:
    return of_services(
        lambda service: (
            None
            if service.counters is None
            else sum(value(server.counted) for server in service.servers if server.counted is not None)
        )
    )


def _weight(reading: Reading) -> Samples:
    """A configured service that the kernel does not have has the weight 0, not none: an alert must see it."""
    if reading.inventory.table_known:
        for service in reading.inventory.services:
            yield (service.name,), sum(server.present.weight for server in service.servers if server.present)


def _of_configured(value: Callable[[VirtualService], Value | None]) -> Callable[[Reading], Samples]:
    return of_services(lambda service: None if service.configured is None else value(service.configured))


def _ups(service: KnownService) -> int:
    return sum(server.state == Health.UP.value for server in service.real_servers)


def _states(reading: Reading) -> Samples:
    for service in reading.inventory.services:
        if service.configured is not None:
            counts = Counter(server.state for server in service.real_servers)
            yield from (((service.name, state), counts[state]) for state in STATES)


def _quorum_up(service: KnownService) -> Value | None:
    return None if service.configured is None else int(_ups(service) >= service.configured.quorum)


def _fallback(service: KnownService) -> Value | None:
    return None if service.configured is None else int(service.sorry_active)


def _persistence(service: KnownService) -> Value:
    return 0 if service.row.persistence is None else service.row.persistence.timeout_s


def _longest(time: Callable[[CheckSpec], float]) -> Callable[[Reading], Samples]:
    return of_services(
        lambda service: max((time(spec) for server in service.real_servers for spec, _ in server.checks), default=None)
    )


def _durations(reading: Reading) -> Samples:
    for service in reading.inventory.services:
        by_kind: dict[str, list[Histogram]] = {}
        for server in service.real_servers:
            for spec, status in server.checks:
                by_kind.setdefault(spec.kind, []).append(status.durations)
        yield from (((service.name, kind), _sum(histograms)) for kind, histograms in by_kind.items())


def _sum(histograms: Iterable[Histogram]) -> Histogram:
    counts, total = [0] * (len(CHECK_BOUNDS) + 1), 0.0
    for histogram in histograms:
        counts = [one + other for one, other in zip(counts, histogram.counts, strict=True)]
        total += histogram.total
    return Histogram(CHECK_BOUNDS, tuple(counts), total)


def _failures(reading: Reading) -> Samples:
    for service in reading.inventory.services:
        counts: Counter[tuple[str, FailureReason]] = Counter()
        for server in service.real_servers:
            _count_failures(server, counts)
        yield from (((service.name, kind, reason.value), count) for (kind, reason), count in counts.items())


def _count_failures(server: KnownServer, counts: Counter[tuple[str, FailureReason]]) -> None:
    for spec, status in server.checks:
        for reason, count in status.failures.items():
            counts[spec.kind, reason] += count


def _drift(reading: Reading) -> Samples:
    counts = Counter((drift.service, drift.kind) for drift in reading.snapshot.reconcile.drift)
    for service in reading.inventory.services:
        if service.configured is not None:
            yield from (((service.name, kind.value), counts[service.key, kind]) for kind in DriftKind)


METRICS = (
    Metric(
        name="lvs_virtual_service_info",
        kind=Kind.INFO,
        help="What a virtual service is, from the kernel where it has it, else from the configuration.",
        samples=_info,
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
    ),
    *(
        counter(f"lvs_virtual_service_{name}_total", f"{text} by a virtual service.", _counted(value), labels=SERVICE)
        for name, text, value in COUNTED
    ),
    gauge(
        "lvs_virtual_service_active_connections",
        "Active connections of all servers of a virtual service.",
        _connections(lambda counted: counted.active_connections),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_inactive_connections",
        "Inactive connections of all servers of a virtual service.",
        _connections(lambda counted: counted.inactive_connections),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_persistent_connections",
        "Persistence templates of all servers of a virtual service.",
        _connections(lambda counted: counted.persistent_connections),
        labels=SERVICE,
    ),
    gauge("lvs_virtual_service_weight", "Sum of the weights that the kernel has.", _weight, labels=SERVICE),
    gauge(
        "lvs_virtual_service_configured_weight",
        "Sum of the configured weights of the real servers.",
        _of_configured(lambda configured: sum(server.destination.weight for server in configured.real_servers)),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_real_servers",
        "Configured real servers by their state.",
        _states,
        labels=(*SERVICE, "state"),
    ),
    gauge(
        "lvs_virtual_service_quorum",
        "Real servers that must be up for the service to count as healthy.",
        _of_configured(lambda configured: configured.quorum),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_quorum_up",
        "1 if as many real servers are up as the quorum says.",
        of_services(_quorum_up),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_fallback_active",
        "1 while the sorry server serves.",
        of_services(_fallback),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_persistence_timeout_seconds",
        "How long a client keeps its real server; 0 if it is not kept at all.",
        of_services(_persistence),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_check_interval_seconds",
        "Longest configured time between two checks of a server, that for servers that are down included.",
        _longest(lambda spec: max(spec.interval_s, spec.down_interval_s)),
        labels=SERVICE,
    ),
    gauge(
        "lvs_virtual_service_check_timeout_seconds",
        "Longest time that a check of a server may take, as configured.",
        _longest(lambda spec: spec.timeout_s),
        labels=SERVICE,
    ),
    Metric(
        name="lvs_virtual_service_check_duration_seconds",
        kind=Kind.HISTOGRAM,
        help="How long checks took, by kind of check.",
        samples=_durations,
        labels=(*SERVICE, "check"),
    ),
    counter(
        "lvs_virtual_service_check_failures_total",
        "Failed checks by kind of check and reason.",
        _failures,
        labels=(*SERVICE, "check", "reason"),
    ),
    gauge(
        "lvs_virtual_service_drift_entries",
        "Entries that somebody else had changed, at the last comparison.",
        _drift,
        labels=(*SERVICE, "kind"),
    ),
)
