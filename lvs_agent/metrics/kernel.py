"""Metrics of IPVS as a whole, and what they share with those of services and servers: the kernel's counters."""

from __future__ import annotations

from collections.abc import Callable

from lvs_agent.metrics.metric import PROC, Kind, Metric, Read, Samples, counter, gauge, listed, single
from lvs_agent.metrics.reading import Reading
from lvs_agent.model.ipvs import AddressKey, ServiceKey
from lvs_agent.model.statistics import Counters, KernelInfo

COUNTED: tuple[tuple[str, str, Callable[[Counters], int]], ...] = (
    ("connections", "Connections scheduled", lambda counters: counters.connections),
    ("incoming_packets", "Incoming packets", lambda counters: counters.incoming_packets),
    ("outgoing_packets", "Outgoing packets", lambda counters: counters.outgoing_packets),
    ("incoming_bytes", "Incoming bytes", lambda counters: counters.incoming_bytes),
    ("outgoing_bytes", "Outgoing bytes", lambda counters: counters.outgoing_bytes),
)
"""What the kernel counts, as part of a name, as words and as a number."""


def address_labels(key: ServiceKey) -> tuple[str, str, str, str]:
    """``local_address, local_port, proto, local_mark`` exactly as node_exporter writes them."""
    match key:
        case AddressKey(protocol, address, port):
            return str(address), str(port), protocol.name, ""
        case _:
            return "", "0", "FWM", f"{key.mark:08X}"


def _of_info(value: Callable[[KernelInfo], float | None]) -> Read:
    return single(lambda reading: None if reading.info is None else value(reading.info))


def _total(value: Callable[[Counters], int]) -> Read:
    return _of_info(lambda info: None if info.totals is None else value(info.totals))


def _version(reading: Reading) -> Samples:
    if reading.info is not None and reading.info.version is not None:
        yield (reading.info.version,), 1


def _sysctls(reading: Reading) -> Samples:
    if reading.info is not None:
        yield from (((name,), value) for name, value in reading.info.sysctls.items())


def _sync_daemons(reading: Reading) -> Samples:
    if reading.info is not None:
        yield from (((daemon.role, daemon.interface), 1) for daemon in reading.info.sync_daemons)


METRICS = (
    *(
        counter(f"lvs_{name}_total", f"{text} by this host.", _total(value), sources=PROC)
        for name, text, value in COUNTED
    ),
    gauge(
        "lvs_connection_table_buckets",
        "Size of the kernel's connection hash table.",
        _of_info(lambda info: info.connection_table_size),
        sources=PROC,
    ),
    Metric(
        name="lvs_ipvs_info",
        kind=Kind.INFO,
        help="Version of the kernel's IPVS.",
        read=listed(_version),
        labels=("version",),
        sources=PROC,
    ),
    gauge(
        "lvs_sysctl",
        "Settings below net.ipv4.vs that change behaviour.",
        listed(_sysctls),
        labels=("name",),
        sources=PROC,
    ),
    gauge(
        "lvs_sync_daemon_up",
        "1 for each connection synchronisation daemon that runs in the kernel.",
        listed(_sync_daemons),
        labels=("role", "interface"),
        sources=PROC,
    ),
)
