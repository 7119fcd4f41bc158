"""The second dashboard: one virtual service, its real servers and their checks."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from grafana import marks, meanings, queries, service_checks, variables
from grafana.build import Page, Row
from grafana.limits import CAPACITY, CERTIFICATE, CERTIFICATE_AT_LAST, DRIFT, IMBALANCE, TRANSITIONS
from grafana.panels import Query, graph, stat, timeline
from grafana.queries import BY_SERVER, rate, server, servers_in, service, summed
from grafana.tables import Column, table

_LEGEND = "{{real_server}} on {{instance}}"


def page() -> Page:
    """The page of one virtual service."""
    return Page(
        uid="lvs-virtual-service",
        title="LVS / Virtual service",
        description="One virtual service: its real servers, their connections and their checks.",
        variables=[
            variables.datasource(),
            variables.job(),
            variables.instance(),
            variables.virtual_service(),
            variables.real_servers(),
        ],
        annotations=[
            marks.alerts('virtual_service=~"$virtual_service|"'),
            marks.transitions(
                server("lvs_real_server_last_transition_timestamp_seconds"), text="{{virtual_service}}: {{real_server}}"
            ),
            marks.reloads(),
            marks.refusals(),
            marks.restarts(),
        ],
        rows=[
            Row(title="Now", panels=[*_now(), *_numbers_now(), _what_it_is()]),
            Row(title="Real servers", panels=[_states(), _servers(), _checked()]),
            Row(title="Connections", panels=[*_connections(), *_traffic()]),
            Row(title="Saturation", panels=[*_saturation(), *_weights()]),
            Row(title="Checks", panels=[*service_checks.durations(), *service_checks.failures()]),
        ],
    )


def _now() -> list[Panel]:
    return [
        stat(
            "State",
            "State of the service on each director. If two directors differ for longer than a few checks, they cannot "
            "reach the same servers.",
            queries.service_state(),
            mappings=meanings.SERVICE,
        ),
        stat("Real servers up", "Real servers that are up according to their checks.", servers_in("up")),
        stat("Quorum", "Real servers that must be up.", service("lvs_virtual_service_quorum")),
        stat(
            "Capacity",
            "Kernel weight as a share of the configured weight.",
            queries.capacity(),
            unit="percentunit",
            thresholds=meanings.of(CAPACITY),
        ),
        stat(
            "Sorry server",
            "Whether the sorry server is active now. It is active only if no real server has a weight above 0.",
            queries.uses_sorry_server(),
            mappings=meanings.SORRY,
        ),
        stat(
            "Entries changed by others",
            "Entries of this service that somebody else had changed, at the last comparison.",
            f"sum without (kind) ({service('lvs_virtual_service_drift_entries')})",
            mappings=meanings.NONE,
            thresholds=meanings.bad_from(DRIFT.value),
        ),
    ]


def _numbers_now() -> list[Panel]:
    return [
        stat(
            "New connections",
            "Connections that the kernel schedules now.",
            rate(service("lvs_virtual_service_connections_total")),
            unit="cps",
        ),
        stat(
            "Active connections",
            "Connections that are established now.",
            service("lvs_virtual_service_active_connections"),
        ),
        stat(
            "Persistent clients",
            "Persistence templates: clients that are bound to a real server now.",
            service("lvs_virtual_service_persistent_connections"),
        ),
        stat(
            "Persistence",
            "How long a client keeps its real server after its last connection. 0 means no persistence.",
            service("lvs_virtual_service_persistence_timeout_seconds"),
            unit="s",
        ),
        stat(
            "Check interval",
            "The longest configured time between two checks of a real server. Multiplied by `fall`, it is the "
            "longest time until a failure is detected.",
            service("lvs_virtual_service_check_interval_seconds"),
            unit="s",
        ),
        stat(
            "Time with quorum",
            "Share of the selected time in which enough real servers were up: the service level for clients.",
            f"avg_over_time({service('lvs_virtual_service_quorum_up')}[$__range])",
            unit="percentunit",
        ),
    ]


def _what_it_is() -> Panel:
    return table(
        "Properties",
        "Address, scheduler and flags in the kernel. If two directors differ here, they have different configurations.",
        Column(name="Present", expr=service("lvs_virtual_service_info"), unit="bool_yes_no"),
        labels={
            "instance": "Director",
            "virtual_service": "Virtual service",
            "proto": "Protocol",
            "local_address": "Address",
            "local_port": "Port",
            "local_mark": "Firewall mark",
            "scheduler": "Scheduler",
            "flags": "Flags",
            "address_family": "Address family",
        },
        height=4,
    )


def _states() -> Panel:
    return timeline(
        "State of the real servers",
        "Green is up, red is down, orange is unknown, blue is in maintenance. In a gap, the agent did not answer.",
        Query(expr=queries.server_state(), legend=_LEGEND),
        mappings=meanings.SERVER,
    )


_SERVER_LABELS = {"real_server": "Real server", "instance": "Director"}


def _servers() -> Panel:
    def of(expr: str) -> str:
        return summed(expr, BY_SERVER)

    return table(
        "Real servers in the kernel",
        "Weights and connections of each real server. The kernel weight is the desired weight unless a round has "
        "failed. A server without a kernel weight is not in the table.",
        Column(name="State", expr=of(queries.server_state()), mappings=meanings.SERVER),
        Column(name="Since", expr=of(_last_transition()), unit="dateTimeFromNow"),
        Column(name="Configured weight", expr=of(server("lvs_real_server_configured_weight"))),
        Column(name="Desired weight", expr=of(server("lvs_real_server_wanted_weight"))),
        Column(name="Kernel weight", expr=of(server("lvs_real_server_weight"))),
        Column(name="Connections/s", expr=of(rate(server("lvs_real_server_connections_total"))), unit="cps"),
        Column(name="Active", expr=of(server("lvs_real_server_active_connections"))),
        Column(name="Inactive", expr=of(server("lvs_real_server_inactive_connections"))),
        Column(name="Persistent", expr=of(server("lvs_real_server_persistent_connections"))),
        Column(name="Limit", expr=of(server("lvs_real_server_connection_limit")), mappings=meanings.UNLIMITED),
        Column(name="Limit used", expr=of(_limit_used()), unit="percentunit", decimals=0),
        labels=_SERVER_LABELS,
        hidden=("virtual_service",),
        sort="Real server",
    )


def _last_transition() -> str:
    """The time of the last transition in milliseconds, the unit of times in Grafana."""
    return f"{server('lvs_real_server_last_transition_timestamp_seconds')} * 1000"


def _limit_used() -> str:
    """The share of its connection limit that a server uses; no value without a limit."""
    active, inactive = (server(f"lvs_real_server_{word}_connections") for word in ("active", "inactive"))
    return f"({active} + {inactive}) / ({server('lvs_real_server_connection_limit')} > 0)"


def _checked() -> Panel:
    def of(expr: str) -> str:
        return summed(expr, BY_SERVER)

    failures = server("lvs_real_server_check_failures_total")
    certificate = server("lvs_real_server_check_certificate_not_after_timestamp_seconds")
    return table(
        "Checks of the real servers",
        "The duration of checks and the time of the last one. If the last check is longer ago than a few intervals, "
        "the agent is overloaded. Renew a certificate with only a few days left.",
        Column(name="Last check", expr=of(_last_check()), unit="dateTimeFromNow"),
        Column(name="Took", expr=of(server("lvs_real_server_check_last_duration_seconds")), unit="s"),
        Column(name="Average", expr=of(queries.average_check()), unit="s"),
        Column(
            name="Checks", expr=of(rate(server("lvs_real_server_check_duration_seconds_count"))), unit="ops", decimals=2
        ),
        Column(name="Failures in 15 minutes", expr=of(f"increase({failures}[15m])"), decimals=0),
        Column(
            name="Changes in 15 minutes",
            expr=of(queries.changes()),
            decimals=0,
            thresholds=meanings.of(TRANSITIONS),
        ),
        Column(
            name="Certificate left",
            expr=of(f"{certificate} - time()"),
            unit="s",
            decimals=0,
            thresholds=meanings.below(warning=CERTIFICATE, critical=CERTIFICATE_AT_LAST),
        ),
        labels=_SERVER_LABELS,
        hidden=("virtual_service",),
        sort="Real server",
    )


def _last_check() -> str:
    return f"{server('lvs_real_server_check_last_timestamp_seconds')} * 1000"


def _connections() -> list[Panel]:
    return [
        graph(
            "New connections",
            "Connections that the kernel scheduled, by real server. If lines differ although the weights are equal, "
            "the reason is persistence, or there are few clients.",
            Query(expr=rate(server("lvs_real_server_connections_total")), legend=_LEGEND),
            unit="cps",
        ),
        graph(
            "Active connections",
            "Connections that are established now. If the line of one server rises above the others, that server is "
            "slow.",
            Query(expr=server("lvs_real_server_active_connections"), legend=_LEGEND),
        ),
        graph(
            "Inactive connections",
            "Connections that are closing or have no state, such as those of UDP. If they rise without more new "
            "connections, answers or final packets are missing.",
            Query(expr=server("lvs_real_server_inactive_connections"), legend=_LEGEND),
        ),
        graph(
            "Persistent clients",
            "Persistence templates by real server. A server with weight 0 may still get connections from them.",
            Query(expr=server("lvs_real_server_persistent_connections"), legend=_LEGEND),
        ),
    ]


def _traffic() -> list[Panel]:
    def both(title: str, text: str, what: str, unit: str) -> Panel:
        incoming, outgoing = (rate(server(f"lvs_real_server_{way}_{what}_total")) for way in ("incoming", "outgoing"))
        return graph(
            title,
            text,
            Query(expr=incoming, legend=f"to {_LEGEND}"),
            Query(expr=outgoing, legend=f"from {_LEGEND}"),
            unit=unit,
        )

    return [
        both(
            "Traffic",
            "Bytes to and from each real server. Without masquerading, answers do not pass the director: 0.",
            "bytes",
            "binBps",
        ),
        both(
            "Packets",
            "Packets to and from each real server. Many packets with few bytes and few connections may be an attack.",
            "packets",
            "pps",
        ),
    ]


def _fair_share() -> str:
    """Active connections by weight, as multiples of the service's average."""
    active, weight = server("lvs_real_server_active_connections"), server("lvs_real_server_weight")
    all_active = f"sum without (real_server) ({active} and {weight} > 0)"
    all_weight = f"sum without (real_server) ({weight} > 0)"
    return (
        f"({active} / ({weight} > 0)) / on (job, instance, virtual_service) group_left () ({all_active} / {all_weight})"
    )


def _saturation() -> list[Panel]:
    return [
        graph(
            "Share of the load",
            "Active connections by weight, as multiples of the average of the selected servers. 1 is fair. Above the "
            "line, an alert fires, except for schedulers and persistence where the client determines the server.",
            Query(expr=_fair_share(), legend=_LEGEND),
            limit=IMBALANCE,
        ),
        graph(
            "Connection limit used",
            "Active and inactive connections as a share of the server's limit. At 100 %, the kernel sends no new "
            "ones. If all servers are at 100 %, clients are refused.",
            Query(expr=_limit_used(), legend=_LEGEND),
            unit="percentunit",
        ),
    ]


def _weights() -> list[Panel]:
    return [
        graph(
            "Weight",
            "Kernel weight and desired weight. If the lines stay apart, rounds fail.",
            Query(expr=server("lvs_real_server_weight"), legend=f"{_LEGEND}, kernel"),
            Query(expr=server("lvs_real_server_wanted_weight"), legend=f"{_LEGEND}, desired"),
        ),
        graph(
            "Capacity",
            "Kernel weight as a share of the configured weight. The weight of a sorry server counts too. Below the "
            "line, an alert fires.",
            Query(expr=queries.capacity(), legend="{{instance}}"),
            unit="percentunit",
            limit=CAPACITY,
        ),
    ]
