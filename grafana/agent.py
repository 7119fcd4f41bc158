"""The third dashboard: the agents themselves, and the kernel's IPVS as a whole."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from grafana import host, marks, meanings, queries, variables
from grafana.build import Page, Row
from grafana.limits import DELAY, HASHES, HIDDEN, KERNEL_ERRORS, REPAIRS, RESTARTS
from grafana.panels import Query, graph, stat
from grafana.queries import ACTIVE, BY_AGENT, agent, or_zero, rate, summed
from grafana.tables import Column, table

_LEGEND = "{{instance}}"


def page() -> Page:
    """The page of the agents."""
    return Page(
        uid="lvs-agent",
        title="LVS / Agent",
        description="The agents: do they answer, come round in time, and get their way with the kernel?",
        variables=[variables.datasource(), variables.job(), variables.instance()],
        annotations=[
            marks.alerts(),
            marks.reloads(),
            marks.refusals(),
            marks.restarts(),
        ],
        rows=[
            Row(title="Now", panels=[*_now(), *_counts_now()]),
            Row(title="Checks", panels=[*_lateness(), *_threads()]),
            Row(title="The kernel's table", panels=[*_rounds(), *_operations()]),
            Row(title="Configuration and log", panels=[*_configuration(), *_log()]),
            Row(title="Scrapes", panels=host.scrapes()),
            Row(title="Process", panels=[*host.process(), *host.memory()]),
            Row(title="IPVS of the host", panels=[*host.traffic(), *host.kernel()]),
        ],
    )


def _now() -> list[Panel]:
    return [
        stat(
            "Answers",
            "Whether Prometheus can scrape the agent. Without an answer everything else here is old.",
            agent("up"),
            mappings=meanings.ANSWERS,
        ),
        stat(
            "Writes the table",
            "Whether the agent puts the kernel's table right, or only observes. Of a pair of directors both may write.",
            agent(ACTIVE),
            mappings=meanings.ACTIVE,
        ),
        stat(
            "Configuration on disk",
            "Whether the file that was read last could be used. If not, an older one is in force; the log says why.",
            agent("lvs_agent_config_last_reload_successful"),
            mappings=meanings.ACCEPTED,
        ),
        stat(
            "Configuration loaded",
            "When the configuration in force was read.",
            f"{agent('lvs_agent_config_last_reload_success_timestamp_seconds')} * 1000",
            unit="dateTimeFromNow",
        ),
        stat(
            "Configurations of the directors",
            "Whether all chosen directors of a job have the same configuration. Different for longer than a roll-out "
            "takes: one of them was forgotten.",
            f'count by (job) (count_values by (job) ("hash", {agent("lvs_agent_config_hash")}))',
            legend="{{job}}",
            mappings=meanings.EQUAL,
            thresholds=meanings.of(HASHES),
        ),
        stat(
            "Running since",
            "When the agent was started. The table in the kernel outlives it.",
            f"{agent('process_start_time_seconds')} * 1000",
            unit="dateTimeFromNow",
        ),
    ]


def _counts_now() -> list[Panel]:
    return [
        stat(
            "Last round without an error",
            "When the kernel's table was last compared and right. Longer ago than the interval of rounds: the agent "
            "hangs, or does not get its way.",
            f"{agent('lvs_agent_reconcile_last_success_timestamp_seconds')} * 1000",
            unit="dateTimeFromNow",
        ),
        stat(
            "Interval of rounds",
            "Longest time between two rounds, as configured.",
            agent("lvs_agent_reconcile_interval_seconds"),
            unit="s",
        ),
        stat(
            "Repairs in 15 minutes",
            "Entries put right after somebody else had changed them. A few are an operator's ipvsadm; more mean that "
            "another program drives the same table.",
            f"increase({agent('lvs_agent_drift_repairs_total')}[15m])",
            thresholds=meanings.of(REPAIRS),
        ),
        stat(
            "Refused by the kernel",
            "Changes in a second that the kernel refused. Anything but none: the table is not what it should be.",
            or_zero(_refused(BY_AGENT), agent(ACTIVE), BY_AGENT),
            unit="ops",
            mappings=meanings.NONE,
            thresholds=meanings.of(KERNEL_ERRORS),
        ),
        stat(
            "Restarts in 30 minutes",
            "Starts of the agent. Above 2: the agent crashes, or its service manager has no patience.",
            f"changes({agent('process_start_time_seconds')}[30m])",
            thresholds=meanings.of(RESTARTS),
        ),
        stat(
            "Hidden entries",
            "Services and servers that are not exported because another one has the same name.",
            agent("lvs_agent_hidden_entries"),
            mappings=meanings.NONE,
            thresholds=meanings.of(HIDDEN),
        ),
    ]


def _refused(by: str) -> str:
    return summed(rate(agent("lvs_agent_ipvs_operation_errors_total")), by)


def _lateness() -> list[Panel]:
    delays = agent("lvs_agent_check_schedule_delay_seconds_bucket")
    return [
        graph(
            "How late checks start",
            "What half and 99 of 100 checks stay below. Above the line the agent has more checks than it can do, and "
            "failures are found late.",
            Query(expr=queries.quantile(0.5, delays, BY_AGENT), legend="half on {{instance}}"),
            Query(expr=queries.quantile(0.99, delays, BY_AGENT), legend="99 % on {{instance}}"),
            unit="s",
            limit=DELAY,
        ),
        graph(
            "Checks started",
            "Checks in a second. It follows from the configuration; a fall without a reload is a stall.",
            Query(expr=rate(agent("lvs_agent_check_schedule_delay_seconds_count")), legend=_LEGEND),
            unit="ops",
        ),
        graph(
            "Checks running and waiting",
            "Checks that run now, and those that are due and not yet started. Waiting ones that stay are saturation.",
            Query(expr=agent("lvs_agent_checks_in_flight"), legend="running on {{instance}}"),
            Query(expr=agent("lvs_agent_checks_pending"), legend="waiting on {{instance}}"),
        ),
        graph(
            "Checks without a verdict",
            "Checks in a second that failed by a fault of ours, such as no free port or no memory: they change no "
            "server's state, and should not be.",
            Query(
                expr=summed(rate(agent("lvs_agent_check_errors_total")), f"{BY_AGENT}, reason"),
                legend="{{reason}} on {{instance}}",
            ),
            unit="ops",
        ),
    ]


def _threads() -> list[Panel]:
    return [
        graph(
            "Threads that wait for databases",
            "Threads in which checks wait for a server, and checks that wait for a free thread. Queued ones that stay "
            "mean servers that hang: thread_concurrency is the limit.",
            Query(expr=agent("lvs_agent_check_threads"), legend="busy on {{instance}}"),
            Query(expr=agent("lvs_agent_check_threads_queued"), legend="queued on {{instance}}"),
        ),
        graph(
            "Oldest thread",
            "How long the oldest of these threads has run. A line that only rises is a driver that does not come back.",
            Query(expr=agent("lvs_agent_check_thread_oldest_seconds"), legend=_LEGEND),
            unit="s",
        ),
    ]


def _rounds() -> list[Panel]:
    buckets = agent("lvs_agent_reconcile_duration_seconds_bucket")
    return [
        graph(
            "How long rounds take",
            "What half and 99 of 100 rounds of reading, comparing and correcting the kernel's table stay below.",
            Query(expr=queries.quantile(0.5, buckets, BY_AGENT), legend="half on {{instance}}"),
            Query(expr=queries.quantile(0.99, buckets, BY_AGENT), legend="99 % on {{instance}}"),
            unit="s",
        ),
        graph(
            "Rounds",
            "Rounds in a second, and those after which the table was not right. Failed rounds are repeated at once: "
            "both lines high is a kernel that keeps refusing.",
            Query(expr=rate(agent("lvs_agent_reconcile_duration_seconds_count")), legend="made on {{instance}}"),
            Query(expr=rate(agent("lvs_agent_reconcile_errors_total")), legend="failed on {{instance}}"),
            unit="ops",
        ),
    ]


def _operations() -> list[Panel]:
    made = summed(rate(agent("lvs_agent_ipvs_operations_total")), f"{BY_AGENT}, operation")
    refused = _refused(f"{BY_AGENT}, operation, error")
    none = f'label_replace({agent(ACTIVE)}, "operation", "any change", "", "")'
    none = f'label_replace({none}, "error", "any error", "", "")'
    calls = agent("lvs_agent_sorry_command_calls_total")
    return [
        graph(
            "Changes of the table",
            "Changes made in a second, by kind. In a quiet time there are none.",
            Query(expr=made, legend="{{operation}} on {{instance}}"),
            unit="ops",
        ),
        graph(
            "Changes that the kernel refused",
            "By kind and error in a second. Anything above 0 is worth a look into the log.",
            Query(expr=or_zero(refused, none, BY_AGENT), legend="{{operation}} {{error}} on {{instance}}"),
            unit="ops",
        ),
        graph(
            "Entries put right",
            "Entries that somebody else had changed, in 15 minutes. Above the line an alert is due.",
            Query(expr=f"increase({agent('lvs_agent_drift_repairs_total')}[15m])", legend=_LEGEND),
            limit=REPAIRS,
        ),
        graph(
            "Calls of sorry commands",
            "In 15 minutes, by what was called and how it ended; only where a sorry command is configured. Whatever "
            "did not end well did not do what it is for.",
            Query(
                expr=summed(f"increase({calls}[15m])", f"{BY_AGENT}, action, outcome"),
                legend="{{action}} {{outcome}} on {{instance}}",
            ),
            bars=True,
        ),
    ]


def _configuration() -> list[Panel]:
    return [
        graph(
            "Configurations read",
            "Configurations read after the start in 15 minutes, and those that could not be used.",
            Query(expr=f"increase({agent('lvs_agent_config_reloads_total')}[15m])", legend="read on {{instance}}"),
            Query(
                expr=f"increase({agent('lvs_agent_config_reload_failures_total')}[15m])",
                legend="refused on {{instance}}",
            ),
            bars=True,
        ),
        graph(
            "Age of the configuration",
            "How long the configuration in force has been in force. Two directors that were changed together fall "
            "together.",
            Query(
                expr=f"time() - {agent('lvs_agent_config_last_reload_success_timestamp_seconds')}",
                legend=_LEGEND,
            ),
            unit="s",
        ),
    ]


def _log() -> list[Panel]:
    return [
        graph(
            "Log lines",
            "Lines in a second, by level. Warnings and errors that go on are worth reading.",
            Query(
                expr=summed(rate(agent("lvs_agent_log_messages_total")), f"{BY_AGENT}, level"),
                legend="{{level}} on {{instance}}",
            ),
            unit="ops",
        ),
        table(
            "Versions",
            "What runs on each director. Different versions are normal only while a new one is rolled out.",
            Column(
                name="Runs",
                expr=summed(agent("lvs_agent_build_info"), f"{BY_AGENT}, version, pyversion"),
                unit="bool_yes_no",
            ),
            Column(name="IPVS answers", expr=_ipvs_version(), unit="bool_yes_no"),
            labels={"instance": "Director", "version": "lvs-agent", "pyversion": "Python", "ipvs": "IPVS"},
            span=12,
            height=8,
        ),
    ]


def _ipvs_version() -> str:
    """The kernel's version in a label of another name, because the agent has one called version as well."""
    named = f'label_replace({agent("lvs_ipvs_info")}, "ipvs", "$1", "version", "(.*)")'
    return summed(named, f"{BY_AGENT}, ipvs")
