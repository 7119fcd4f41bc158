"""Panels of the agent dashboard about the processes of the agents, and about IPVS as a whole."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from grafana import meanings
from grafana.panels import Query, graph
from grafana.queries import BY_AGENT, agent, rate, summed
from grafana.tables import Column, table

_LEGEND = "{{instance}}"


def scrapes() -> list[Panel]:
    """Panels about the collectors of the metrics."""
    return [
        graph(
            "Collectors that succeed",
            "1 if the collector succeeded at the last scrape: the agent's own state, the kernel's table, facts about "
            "IPVS. At 0, its metrics are missing.",
            Query(expr=agent("lvs_agent_collector_success"), legend="{{collector}} on {{instance}}"),
            most=1,
        ),
        graph(
            "Duration of collectors",
            "Duration of each collector at the last scrape. It grows with the size of the kernel's table.",
            Query(expr=agent("lvs_agent_collector_duration_seconds"), legend="{{collector}} on {{instance}}"),
            unit="s",
        ),
    ]


def process() -> list[Panel]:
    """Panels about processor time and open files."""
    return [
        graph(
            "Processor",
            "Processor time of the agent, as a share of one processor. Near 100 %, checks start late.",
            Query(expr=rate(agent("process_cpu_seconds_total")), legend=_LEGEND),
            unit="percentunit",
        ),
        graph(
            "Open files",
            "File descriptors in use, as a share of the limit. At 100 %, checks end with local errors.",
            Query(expr=f"{agent('process_open_fds')} / {agent('process_max_fds')}", legend=_LEGEND),
            unit="percentunit",
        ),
    ]


def memory() -> list[Panel]:
    """Panels about memory and garbage collections."""
    collections = rate(agent("python_gc_collections_total"))
    return [
        graph(
            "Memory",
            "Resident memory. It depends on the number of servers and checks. A line that rises for days is a leak.",
            Query(expr=agent("process_resident_memory_bytes"), legend=_LEGEND),
            unit="bytes",
        ),
        graph(
            "Garbage collections",
            "Collections per second, by generation. Those of generation 2 stop the agent for the longest time.",
            Query(expr=collections, legend="generation {{generation}} on {{instance}}"),
            unit="ops",
        ),
    ]


def traffic() -> list[Panel]:
    """Panels about all traffic through IPVS."""
    ways = ("incoming", "outgoing")
    return [
        graph(
            "New connections of the host",
            "Connections that IPVS scheduled, including services that are not in the configuration.",
            Query(expr=rate(agent("lvs_connections_total")), legend=_LEGEND),
            unit="cps",
        ),
        graph(
            "Traffic of the host",
            "Bytes through IPVS. Outgoing bytes are counted only if answers pass the director.",
            *(Query(expr=rate(agent(f"lvs_{way}_bytes_total")), legend=f"{way} on {_LEGEND}") for way in ways),
            unit="binBps",
        ),
        graph(
            "Packets of the host",
            "Packets through IPVS. Many packets with few connections may be an attack.",
            *(Query(expr=rate(agent(f"lvs_{way}_packets_total")), legend=f"{way} on {_LEGEND}") for way in ways),
            unit="pps",
        ),
    ]


def kernel() -> list[Panel]:
    """Panels about the connection table, the synchronisation daemons and the kernel settings."""
    return [
        graph(
            "Connections per hash bucket",
            "Active and inactive connections of all services, divided by the buckets of the kernel's connection table. "
            "With more than a few, each lookup is slow: raise conn_tab_bits of the module ip_vs.",
            Query(expr=_connections_of_a_bucket(), legend=_LEGEND),
        ),
        table(
            "Synchronisation daemons",
            "Daemons of the kernel that send connections to another director, or receive them. Empty if connections "
            "are not synchronised.",
            Column(name="State", expr=agent("lvs_sync_daemon_up"), mappings=meanings.DAEMON),
            labels={"instance": "Director", "role": "Role", "interface": "Interface"},
            span=12,
            height=8,
        ),
        table(
            "Kernel settings",
            "Settings below net.ipv4.vs. Two directors should have the same ones. If expire_quiescent_template is 0, "
            "persistent clients stay on a server with weight 0.",
            Column(name="Value", expr=agent("lvs_sysctl"), unit="none"),
            labels={"name": "Setting", "instance": "Director"},
            sort="Setting",
            span=12,
            height=8,
        ),
    ]


def _connections_of_a_bucket() -> str:
    kinds = ("active", "inactive")
    all_of = (summed(agent(f"lvs_virtual_service_{kind}_connections"), BY_AGENT) for kind in kinds)
    return f"({' + '.join(all_of)}) / on (job, instance) {agent('lvs_connection_table_buckets')}"
