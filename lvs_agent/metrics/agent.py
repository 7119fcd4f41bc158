"""Metrics of the agent itself."""

from __future__ import annotations

import platform
from collections.abc import Callable

from lvs_agent import __version__
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.core.sorry_command import SorryAction, SorryOutcome
from lvs_agent.log import LEVELS
from lvs_agent.metrics.metric import BOTH, Facts, Kind, Metric, Read, Samples, Value, counter, gauge, listed, single
from lvs_agent.metrics.reading import Reading, Source
from lvs_agent.model.check import ErrorReason
from lvs_agent.model.ipvs import OPERATION_NAMES
from lvs_agent.model.workers import LossCause, WorkerState

_HASH_DIGITS = 12
"""Hex digits of the configuration's digest that a float holds exactly (48 bits)."""


def _of(value: Callable[[Snapshot], Value | None]) -> Read:
    return single(lambda reading: value(reading.snapshot))


def _build(_: Reading) -> Samples:
    yield (__version__, _REVISION, platform.python_version()), 1


_REVISION = "unknown"
"""The source revision is not recorded in a package of ours; the label is there as in all other exporters."""


def _config_hash(snapshot: Snapshot) -> int:
    return int(snapshot.config.common_digest[:_HASH_DIGITS], 16)


def _operations(reading: Reading) -> Samples:
    counts = dict.fromkeys(OPERATION_NAMES, 0) | dict(reading.snapshot.reconcile.operations)
    yield from (((operation,), count) for operation, count in counts.items())


def _operation_errors(reading: Reading) -> Samples:
    yield from reading.snapshot.reconcile.operation_errors.items()


def _check_errors(reading: Reading) -> Samples:
    counts = dict.fromkeys(ErrorReason, 0)
    for status in reading.snapshot.checks.values():
        for reason, count in status.errors.items():
            counts[reason] += count
    yield from (((reason.value,), count) for reason, count in counts.items())


def _workers(reading: Reading) -> Samples:
    counts = reading.snapshot.engine.workers
    yield from (((state.value,), counts.get(state, 0)) for state in WorkerState)


def _worker_losses(reading: Reading) -> Samples:
    counts = reading.snapshot.engine.worker_losses
    yield from (((cause.value,), counts.get(cause, 0)) for cause in LossCause)


def _source_durations(reading: Reading) -> Samples:
    yield from (((source.value,), run.duration_s) for source, run in reading.sources.items())


def _source_successes(reading: Reading) -> Samples:
    yield from (((source.value,), int(run.success)) for source, run in reading.sources.items())


def _log_messages(reading: Reading) -> Samples:
    counts = dict.fromkeys(LEVELS, 0) | dict(reading.snapshot.log_messages)
    yield from (((level,), count) for level, count in counts.items())


def _sorry_calls(reading: Reading) -> Samples:
    """Zeros from the start, for each service that has such a command."""
    intent = reading.snapshot.intent
    names = intent.names
    for service in intent.services:
        if service.sorry_command is not None:
            yield from (((service.name, action.value, end.value), 0) for action in SorryAction for end in SorryOutcome)
    for (key, action, outcome), count in reading.snapshot.sorry_calls.items():
        yield (names.get(key, str(key)), action.value, outcome.value), count


_OF_COLLECTORS: Facts = {"labels": ("collector",), "sources": tuple(Source), "variants": len(Source), "last": True}

METRICS = (
    Metric(
        name="lvs_agent_build_info",
        kind=Kind.INFO,
        help="Version of the agent and of its Python.",
        read=listed(_build),
        labels=("version", "revision", "pyversion"),
    ),
    gauge(
        "lvs_agent_active",
        "1 if this agent writes the kernel's table, 0 if it only observes.",
        _of(lambda snapshot: int(snapshot.writes)),
    ),
    gauge(
        "lvs_agent_config_last_reload_successful",
        "1 if the configuration that was read last could be used.",
        _of(lambda snapshot: int(snapshot.config.last_reload_successful)),
    ),
    gauge(
        "lvs_agent_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was loaded.",
        _of(lambda snapshot: snapshot.config.loaded_at),
    ),
    gauge(
        "lvs_agent_config_hash",
        "Hash of the configuration; equal on directors that differ only in their own addresses and directories.",
        _of(_config_hash),
    ),
    counter(
        "lvs_agent_config_reloads_total",
        "Configurations that were read after the start.",
        _of(lambda snapshot: snapshot.config.reloads),
    ),
    counter(
        "lvs_agent_config_reload_failures_total",
        "Configurations that were read after the start and could not be used.",
        _of(lambda snapshot: snapshot.config.reload_failures),
    ),
    Metric(
        name="lvs_agent_reconcile_duration_seconds",
        kind=Kind.HISTOGRAM,
        help="How long rounds of comparing and correcting the kernel's table took.",
        read=_of(lambda snapshot: snapshot.reconcile.durations),
    ),
    counter(
        "lvs_agent_reconcile_errors_total",
        "Rounds after which the kernel's table was not in sync.",
        _of(lambda snapshot: snapshot.reconcile.errors),
    ),
    gauge(
        "lvs_agent_reconcile_last_success_timestamp_seconds",
        "End of the last round that left the table in sync; absent before the first.",
        _of(lambda snapshot: snapshot.reconcile.last_success_at),
    ),
    gauge(
        "lvs_agent_reconcile_interval_seconds",
        "Longest time between two rounds, as configured.",
        _of(lambda snapshot: snapshot.config.reconcile_interval_s),
    ),
    counter(
        "lvs_agent_drift_repairs_total",
        "Entries repaired after somebody else had changed them.",
        _of(lambda snapshot: snapshot.reconcile.drift_repairs),
    ),
    counter(
        "lvs_agent_ipvs_operations_total",
        "Changes made to the kernel's table.",
        listed(_operations),
        labels=("operation",),
        variants=len(OPERATION_NAMES),
    ),
    counter(
        "lvs_agent_ipvs_operation_errors_total",
        "Changes that the kernel refused, by the name of the errno.",
        listed(_operation_errors),
        labels=("operation", "error"),
    ),
    counter(
        "lvs_agent_check_errors_total",
        "Checks without a result about the server because of an error of the agent or its host.",
        listed(_check_errors),
        labels=("reason",),
        variants=len(ErrorReason),
    ),
    gauge(
        "lvs_agent_checks_in_flight",
        "Checks running now.",
        _of(lambda snapshot: snapshot.engine.load.in_flight),
    ),
    gauge(
        "lvs_agent_checks_pending",
        "Checks that are due and not yet started.",
        _of(lambda snapshot: snapshot.engine.load.pending),
    ),
    gauge(
        "lvs_agent_workers",
        "Processes that run checks, by state.",
        listed(_workers),
        labels=("state",),
        variants=len(WorkerState),
    ),
    counter(
        "lvs_agent_worker_restarts_total",
        "Processes that run checks and were replaced, by cause.",
        listed(_worker_losses),
        labels=("cause",),
        variants=len(LossCause),
    ),
    gauge(
        "lvs_agent_check_threads",
        "Threads in which checks wait for a server now.",
        _of(lambda snapshot: snapshot.engine.load.threads),
    ),
    gauge(
        "lvs_agent_check_threads_queued",
        "Checks that wait for a free thread.",
        _of(lambda snapshot: snapshot.engine.load.threads_queued),
    ),
    gauge(
        "lvs_agent_check_thread_oldest_seconds",
        "How long the oldest of the threads in which checks wait has run.",
        _of(lambda snapshot: snapshot.engine.load.thread_oldest_s),
    ),
    gauge(
        "lvs_agent_check_commands",
        "Commands of checks that run now.",
        _of(lambda snapshot: snapshot.engine.load.commands),
    ),
    gauge(
        "lvs_agent_check_commands_queued",
        "Commands of checks that wait for a slot.",
        _of(lambda snapshot: snapshot.engine.load.commands_queued),
    ),
    Metric(
        name="lvs_agent_check_schedule_delay_seconds",
        kind=Kind.HISTOGRAM,
        help="How late checks started.",
        read=_of(lambda snapshot: snapshot.engine.delays),
    ),
    gauge(
        "lvs_agent_hidden_entries",
        "Services and servers that are not exported because another one has the same name.",
        single(lambda reading: reading.columns.index.hidden),
        sources=BOTH,
    ),
    counter(
        "lvs_agent_sorry_command_calls_total",
        "Calls of sorry commands, by how they ended.",
        listed(_sorry_calls),
        labels=("virtual_service", "action", "outcome"),
        variants=len(SorryAction) * len(SorryOutcome),
    ),
    counter(
        "lvs_agent_monitor_lines_dropped_total",
        "Lines of monitor files lost because too many waited to be written.",
        _of(lambda snapshot: snapshot.monitor_lines_dropped),
    ),
    counter(
        "lvs_agent_log_messages_total", "Lines logged.", listed(_log_messages), labels=("level",), variants=len(LEVELS)
    ),
    gauge(
        "lvs_agent_collector_duration_seconds",
        "How long reading a source of these metrics took.",
        listed(_source_durations),
        **_OF_COLLECTORS,
    ),
    gauge(
        "lvs_agent_collector_success",
        "1 if a source of these metrics answered; if it is 0, the metrics from that source are absent.",
        listed(_source_successes),
        **_OF_COLLECTORS,
    ),
)
