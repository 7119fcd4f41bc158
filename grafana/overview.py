"""The first dashboard: are all services up, and if not, where to look."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from grafana import marks, meanings, queries, variables
from grafana.build import Page, Row
from grafana.limits import CAPACITY, DRIFT
from grafana.panels import Query, graph, stat, timeline
from grafana.queries import BY_SERVER, BY_SERVICE, agent, rate, servers_in, service, summed, worst_of_directors
from grafana.tables import Column, table

TO_SERVICE = (
    "/d/lvs-virtual-service?${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
    "&var-virtual_service=${__value.text:percentencode}"
)
"""The link from a cell with the name of a service to the dashboard of that service."""

_LEGEND = "{{virtual_service}} on {{instance}}"


def page() -> Page:
    """The overview."""
    last = f"max by ({BY_SERVICE}) ({service('lvs_real_server_last_transition_timestamp_seconds')})"
    return Page(
        uid="lvs-overview",
        title="LVS / Overview",
        description="Every virtual service of the selected directors: state, capacity, traffic and checks.",
        variables=[
            variables.datasource(),
            variables.job(),
            variables.instance(),
            variables.virtual_services(),
        ],
        annotations=[
            marks.alerts(),
            marks.transitions(last, text="A real server of {{virtual_service}}"),
            marks.reloads(),
            marks.refusals(),
            marks.restarts(),
        ],
        rows=[
            Row(title="Now", panels=[*_services_now(), *_agents_now()]),
            Row(title="Alerts", panels=[_alerts()]),
            Row(title="Virtual services", panels=[_services(), _states()]),
            Row(title="Traffic", panels=_traffic()),
            Row(title="Checks", panels=_checks()),
        ],
    )


def _count(title: str, text: str, expr: str) -> Panel:
    """The number of something that should be 0."""
    return stat(
        title, text, expr, legend=title, mappings=meanings.NONE, thresholds=meanings.bad_from(DRIFT.value), span=3
    )


def _services_now() -> list[Panel]:
    return [
        _count(
            "Services without a real server",
            "Virtual services whose real servers are all down or in maintenance. Their clients get a sorry server or "
            "no answer. If directors report different numbers, the highest one counts.",
            worst_of_directors(queries.is_down()),
        ),
        _count(
            "Services below quorum",
            "Virtual services with fewer real servers up than their quorum. If there are any, one more failure may be "
            "too many.",
            worst_of_directors(queries.is_below_quorum()),
        ),
        _count(
            "Sorry servers in use",
            "Virtual services whose sorry server is active now. If there are any, clients see a sorry server.",
            worst_of_directors(queries.uses_sorry_server()),
        ),
        _count(
            "Real servers down",
            "Real servers whose checks fail. Those in maintenance and those with unknown health do not count.",
            worst_of_directors(servers_in("down")),
        ),
        stat(
            "Real servers in maintenance",
            "Real servers in maintenance. If the number does not fall for days, a server was forgotten.",
            worst_of_directors(servers_in("maintenance")),
            legend="Real servers in maintenance",
            span=3,
        ),
    ]


def _agents_now() -> list[Panel]:
    successful = agent("lvs_agent_config_last_reload_successful")
    return [
        _count(
            "Entries changed by others",
            "Entries of the kernel's table that somebody else had changed, at the last comparison. The agent repairs "
            "them. If the number stays above 0, somebody keeps changing them.",
            worst_of_directors(f"sum without (kind) ({service('lvs_virtual_service_drift_entries')})"),
        ),
        _count(
            "Agents without an answer",
            "Agents that Prometheus cannot scrape. Their values are missing in all other panels.",
            f"sum({agent('up')} == bool 0)",
        ),
        _count(
            "Configurations refused",
            "Agents whose configuration on disk is invalid. An older one is in force there.",
            f"sum({successful} == bool 0)",
        ),
    ]


def _alerts() -> Panel:
    firing = marks.firing('virtual_service=~"$virtual_service|"')
    return table(
        "Firing alerts",
        "The alerts of lvs-agent that fire now. If the table is empty, all is well, or the rules are not loaded.",
        Column(
            name="Firing",
            expr=f"max by ({BY_SERVER}, alertname, severity) ({firing})",
            unit="bool_yes_no",
        ),
        labels={
            "alertname": "Alert",
            "severity": "Severity",
            "virtual_service": "Virtual service",
            "real_server": "Real server",
            "instance": "Director",
        },
        links={"Virtual service": TO_SERVICE},
        sort="Severity",
        height=6,
    )


def _services() -> Panel:
    def of(expr: str) -> str:
        return summed(expr, BY_SERVICE)

    return table(
        "Virtual services",
        "One row for each virtual service and director. Click on a name to open its dashboard. Capacity is the kernel "
        "weight as a share of the configured weight. Below half of it, the service may be overloaded.",
        Column(name="State", expr=of(queries.service_state()), mappings=meanings.SERVICE),
        Column(name="Up", expr=of(servers_in("up"))),
        Column(name="Down", expr=of(servers_in("down")), mappings=meanings.NONE, thresholds=meanings.bad_from(0)),
        Column(name="Unknown", expr=of(servers_in("unknown"))),
        Column(name="Maintenance", expr=of(servers_in("maintenance"))),
        Column(name="Quorum", expr=of(service("lvs_virtual_service_quorum"))),
        Column(
            name="Capacity",
            expr=of(queries.capacity()),
            unit="percentunit",
            decimals=0,
            thresholds=meanings.of(CAPACITY),
        ),
        Column(name="Connections/s", expr=of(rate(service("lvs_virtual_service_connections_total"))), unit="cps"),
        Column(name="Active", expr=of(service("lvs_virtual_service_active_connections"))),
        Column(name="In", expr=of(rate(service("lvs_virtual_service_incoming_bytes_total"))), unit="binBps"),
        Column(name="Out", expr=of(rate(service("lvs_virtual_service_outgoing_bytes_total"))), unit="binBps"),
        Column(
            name="Changed by others",
            expr=of(service("lvs_virtual_service_drift_entries")),
            mappings=meanings.NONE,
            thresholds=meanings.bad_from(DRIFT.value),
        ),
        labels={"virtual_service": "Virtual service", "instance": "Director"},
        links={"Virtual service": TO_SERVICE},
        sort="Virtual service",
        height=10,
    )


def _states() -> Panel:
    return timeline(
        "State of the virtual services",
        "Green is healthy. Orange is below quorum. Red is without a real server, or failed over to the sorry server. "
        "In a gap, the agent did not answer.",
        Query(expr=queries.service_state(), legend=_LEGEND),
        mappings=meanings.SERVICE,
    )


def _traffic() -> list[Panel]:
    return [
        graph(
            "New connections",
            "Connections that the kernel scheduled, by virtual service. If they fall suddenly while all servers are "
            "up, clients no longer reach the director.",
            Query(expr=rate(service("lvs_virtual_service_connections_total")), legend=_LEGEND),
            unit="cps",
        ),
        graph(
            "Active connections",
            "Connections that are established now. If they rise without more new connections, servers are slower.",
            Query(expr=service("lvs_virtual_service_active_connections"), legend=_LEGEND),
        ),
        graph(
            "Incoming traffic",
            "Bytes from clients, by virtual service.",
            Query(expr=rate(service("lvs_virtual_service_incoming_bytes_total")), legend=_LEGEND),
            unit="binBps",
        ),
        graph(
            "Outgoing traffic",
            "Bytes to clients that pass the director: only with masquerading. With direct routing and tunnels, answers "
            "do not pass the director, and this is 0.",
            Query(expr=rate(service("lvs_virtual_service_outgoing_bytes_total")), legend=_LEGEND),
            unit="binBps",
        ),
        graph(
            "Incoming packets",
            "Packets from clients, by virtual service. Many packets with few connections may be an attack.",
            Query(expr=rate(service("lvs_virtual_service_incoming_packets_total")), legend=_LEGEND),
            unit="pps",
        ),
        graph(
            "Outgoing packets",
            "Packets to clients that pass the director: only with masquerading.",
            Query(expr=rate(service("lvs_virtual_service_outgoing_packets_total")), legend=_LEGEND),
            unit="pps",
        ),
    ]


def _checks() -> list[Panel]:
    return [
        graph(
            "Failed checks",
            "Share of the checks that failed. Single failures that take no server down are visible here first.",
            Query(expr=queries.failed_share(), legend=_LEGEND),
            unit="percentunit",
            most=1,
        ),
        graph(
            "Slowest checks",
            "99th percentile of the check duration of a service. If it rises towards the timeout, checks will fail "
            "soon.",
            Query(
                expr=queries.quantile(0.99, service("lvs_virtual_service_check_duration_seconds_bucket"), BY_SERVICE),
                legend=_LEGEND,
            ),
            unit="s",
        ),
        graph(
            "Capacity",
            "Kernel weight as a share of the configured weight. The weight of a sorry server counts too. Below the "
            "line, an alert fires.",
            Query(expr=queries.capacity(), legend=_LEGEND),
            unit="percentunit",
            limit=CAPACITY,
        ),
        graph(
            "Persistent connections",
            "Persistence templates: clients that are bound to a real server, even if its weight is 0.",
            Query(expr=service("lvs_virtual_service_persistent_connections"), legend=_LEGEND),
        ),
    ]
