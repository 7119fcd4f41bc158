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
        description="The agents: do they answer, do checks and rounds run in time, does the kernel accept the changes?",
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
            Row(title="IPVS table", panels=[*_rounds(), *_operations()]),
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
            "Whether Prometheus can scrape the agent. If not, all other values here are old.",
            agent("up"),
            mappings=meanings.ANSWERS,
        ),
        stat(
            "Writes the table",
            "Whether the agent writes the IPVS table or only observes. Both directors of a pair may write.",
            agent(ACTIVE),
            mappings=meanings.ACTIVE,
        ),
        stat(
            "Configuration on disk",
            "Whether the configuration that was read last is valid. If not, an older one is in force. The log says "
            "why.",
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
            "Whether all selected directors of a job have the same configuration. If they differ for longer than a "
            "rollout takes, one of them was forgotten.",
            f'count by (job) (count_values by (job) ("hash", {agent("lvs_agent_config_hash")}))',
            legend="{{job}}",
            mappings=meanings.EQUAL,
            thresholds=meanings.of(HASHES),
        ),
        stat(
            "Running since",
            "When the agent was started. By default, the table stays in the kernel when the agent stops.",
            f"{agent('process_start_time_seconds')} * 1000",
            unit="dateTimeFromNow",
        ),
    ]


def _counts_now() -> list[Panel]:
    return [
        stat(
            "Last round without an error",
            "When the IPVS table was last in sync. If that is longer ago than the reconcile interval, the agent hangs "
            "or its rounds fail.",
            f"{agent('lvs_agent_reconcile_last_success_timestamp_seconds')} * 1000",
            unit="dateTimeFromNow",
        ),
        stat(
            "Reconcile interval",
            "The longest configured time between two rounds.",
            agent("lvs_agent_reconcile_interval_seconds"),
            unit="s",
        ),
        stat(
            "Repairs in 15 minutes",
            "Entries that were repaired after somebody else had changed them. A few come from a person with ipvsadm. "
            "More come from another program that writes the same table.",
            f"increase({agent('lvs_agent_drift_repairs_total')}[15m])",
            thresholds=meanings.of(REPAIRS),
        ),
        stat(
            "Refused by the kernel",
            "Changes per second that the kernel refused. If there are any, the table differs from the desired table.",
            or_zero(_refused(BY_AGENT), agent(ACTIVE), BY_AGENT),
            unit="ops",
            mappings=meanings.NONE,
            thresholds=meanings.of(KERNEL_ERRORS),
        ),
        stat(
            "Restarts in 30 minutes",
            "Starts of the agent. Above 2, the agent crashes, or its service manager restarts it.",
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
            "Delay of check starts",
            "Median and 99th percentile. Above the line, the agent has more checks than it can run, and failures are "
            "detected late.",
            Query(expr=queries.quantile(0.5, delays, BY_AGENT), legend="median on {{instance}}"),
            Query(expr=queries.quantile(0.99, delays, BY_AGENT), legend="99 % on {{instance}}"),
            unit="s",
            limit=DELAY,
        ),
        graph(
            "Checks started",
            "Checks per second. The rate follows from the configuration. If it falls without a reload, checks are "
            "stalled.",
            Query(expr=rate(agent("lvs_agent_check_schedule_delay_seconds_count")), legend=_LEGEND),
            unit="ops",
        ),
        graph(
            "Checks running and waiting",
            "Checks that run now, and checks that are due but not started. If checks keep waiting, the agent is "
            "overloaded.",
            Query(expr=agent("lvs_agent_checks_in_flight"), legend="running on {{instance}}"),
            Query(expr=agent("lvs_agent_checks_pending"), legend="waiting on {{instance}}"),
        ),
        graph(
            "Checks without a result",
            "Checks per second that ended with a local error, such as no free port or no memory. They do not change "
            "the health of a server. There should be none.",
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
            "Threads of database checks",
            "Threads in which checks wait for a server, and checks that wait for a free thread. If checks stay queued, "
            "servers hang. The limit is thread_concurrency.",
            Query(expr=agent("lvs_agent_check_threads"), legend="busy on {{instance}}"),
            Query(expr=agent("lvs_agent_check_threads_queued"), legend="queued on {{instance}}"),
        ),
        graph(
            "Oldest thread",
            "How long the oldest of these threads has run. If the line only rises, a call of a driver does not return.",
            Query(expr=agent("lvs_agent_check_thread_oldest_seconds"), legend=_LEGEND),
            unit="s",
        ),
        graph(
            "Check workers",
            "Processes that run the checks, by state, and replaced ones. A worker that dies or hangs is replaced; its "
            "checks keep their health.",
            Query(expr=agent("lvs_agent_workers"), legend="{{state}} on {{instance}}"),
            Query(
                expr=summed(rate(agent("lvs_agent_worker_restarts_total")), f"{BY_AGENT}, cause"),
                legend="replaced: {{cause}} on {{instance}}",
            ),
        ),
        graph(
            "Commands of checks",
            "Commands that run, and those that wait for a slot. If commands stay queued, they hang, or there are too "
            "many. The limit is command_concurrency.",
            Query(expr=agent("lvs_agent_check_commands"), legend="running on {{instance}}"),
            Query(expr=agent("lvs_agent_check_commands_queued"), legend="queued on {{instance}}"),
        ),
    ]


def _rounds() -> list[Panel]:
    buckets = agent("lvs_agent_reconcile_duration_seconds_bucket")
    return [
        graph(
            "Duration of rounds",
            "Median and 99th percentile. A round reads the kernel's table, compares it with the desired table and "
            "repairs the differences.",
            Query(expr=queries.quantile(0.5, buckets, BY_AGENT), legend="median on {{instance}}"),
            Query(expr=queries.quantile(0.99, buckets, BY_AGENT), legend="99 % on {{instance}}"),
            unit="s",
        ),
        graph(
            "Rounds",
            "Rounds per second, and those after which the table was not in sync. Failed rounds are repeated soon: if "
            "both lines are high, the kernel keeps refusing changes.",
            Query(expr=rate(agent("lvs_agent_reconcile_duration_seconds_count")), legend="done on {{instance}}"),
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
            "Changes to the table",
            "Changes per second, by kind. While no server changes, there are none.",
            Query(expr=made, legend="{{operation}} on {{instance}}"),
            unit="ops",
        ),
        graph(
            "Changes that the kernel refused",
            "Per second, by kind and error. If there are any, look at the log.",
            Query(expr=or_zero(refused, none, BY_AGENT), legend="{{operation}} {{error}} on {{instance}}"),
            unit="ops",
        ),
        graph(
            "Repaired entries",
            "Entries that somebody else had changed, in 15 minutes. Above the line, an alert fires.",
            Query(expr=f"increase({agent('lvs_agent_drift_repairs_total')}[15m])", legend=_LEGEND),
            limit=REPAIRS,
        ),
        graph(
            "Calls of sorry commands",
            "Calls in 15 minutes, by action and outcome. Empty if no sorry command is configured. A failed "
            "call is not retried.",
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
            "Configurations that were read after the start, in 15 minutes, and those that were invalid.",
            Query(expr=f"increase({agent('lvs_agent_config_reloads_total')}[15m])", legend="read on {{instance}}"),
            Query(
                expr=f"increase({agent('lvs_agent_config_reload_failures_total')}[15m])",
                legend="refused on {{instance}}",
            ),
            bars=True,
        ),
        graph(
            "Age of the configuration",
            "The time since the configuration in force was loaded. If two directors are changed together, both lines "
            "fall at the same time.",
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
            "Lines per second, by level. If warnings or errors continue, read the log.",
            Query(
                expr=summed(rate(agent("lvs_agent_log_messages_total")), f"{BY_AGENT}, level"),
                legend="{{level}} on {{instance}}",
            ),
            unit="ops",
        ),
        graph(
            "Lost lines of monitor files",
            "Lines per second that were not written because the disk of the monitor files was too slow.",
            Query(
                expr=rate(agent("lvs_agent_monitor_lines_dropped_total")),
                legend=_LEGEND,
            ),
            unit="ops",
        ),
        table(
            "Versions",
            "The versions on each director. Different versions are normal only during an upgrade.",
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
    """The version of IPVS in the label ``ipvs``, because ``version`` is the version of the agent."""
    named = f'label_replace({agent("lvs_ipvs_info")}, "ipvs", "$1", "version", "(.*)")'
    return summed(named, f"{BY_AGENT}, ipvs")
