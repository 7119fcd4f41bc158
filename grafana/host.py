"""What the page of the agents shows of their processes, and of the kernel's IPVS as a whole."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from grafana import meanings
from grafana.panels import Query, graph
from grafana.queries import BY_AGENT, agent, rate, summed
from grafana.tables import Column, table

_LEGEND = "{{instance}}"


def scrapes() -> list[Panel]:
    """Where the metrics come from."""
    return [
        graph(
            "Sources that answer",
            "1 where a source of the metrics answered: the agent's own state, the kernel's table, facts about IPVS. "
            "At 0 what it would have shown is missing.",
            Query(expr=agent("lvs_agent_collector_success"), legend="{{collector}} on {{instance}}"),
            most=1,
        ),
        graph(
            "How long sources take",
            "Time that asking each source took at the last scrape. It grows with the size of the kernel's table.",
            Query(expr=agent("lvs_agent_collector_duration_seconds"), legend="{{collector}} on {{instance}}"),
            unit="s",
        ),
    ]


def process() -> list[Panel]:
    """Processor and files."""
    return [
        graph(
            "Processor",
            "Processor time of the agent, in shares of one processor. Near 100 % checks start late.",
            Query(expr=rate(agent("process_cpu_seconds_total")), legend=_LEGEND),
            unit="percentunit",
        ),
        graph(
            "Open files",
            "File descriptors in use as a share of the limit. At 100 % checks fail by a fault of ours.",
            Query(expr=f"{agent('process_open_fds')} / {agent('process_max_fds')}", legend=_LEGEND),
            unit="percentunit",
        ),
    ]


def memory() -> list[Panel]:
    """Memory and its collection."""
    collections = rate(agent("python_gc_collections_total"))
    return [
        graph(
            "Memory",
            "Resident memory. It follows the number of servers and checks; a line that rises for days is a leak.",
            Query(expr=agent("process_resident_memory_bytes"), legend=_LEGEND),
            unit="bytes",
        ),
        graph(
            "Garbage collections",
            "Collections in a second, by generation. Those of generation 2 stop the agent for the longest.",
            Query(expr=collections, legend="generation {{generation}} on {{instance}}"),
            unit="ops",
        ),
    ]


def traffic() -> list[Panel]:
    """All traffic through IPVS."""
    ways = ("incoming", "outgoing")
    return [
        graph(
            "New connections of the host",
            "Connections that IPVS scheduled, those of services that are not ours included.",
            Query(expr=rate(agent("lvs_connections_total")), legend=_LEGEND),
            unit="cps",
        ),
        graph(
            "Traffic of the host",
            "Bytes through IPVS. Outgoing ones are counted only where answers come back through the director.",
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
    """The connection table, and what is set."""
    return [
        graph(
            "Connections for each bucket",
            "Active and inactive connections of all services, divided by the buckets of the kernel's connection "
            "table. Above a few, each packet has to search: conn_tab_bits of the module ip_vs is too small.",
            Query(expr=_connections_of_a_bucket(), legend=_LEGEND),
        ),
        table(
            "Synchronisation daemons",
            "Daemons of the kernel that send connections to another director, or receive them. Empty where no "
            "connections are synchronised.",
            Column(name="State", expr=agent("lvs_sync_daemon_up"), mappings=meanings.DAEMON),
            labels={"instance": "Director", "role": "Role", "interface": "Interface"},
            span=12,
            height=8,
        ),
        table(
            "Kernel settings",
            "Settings below net.ipv4.vs. Two directors should have the same; with expire_quiescent_template at 0, "
            "persistent clients stay with a server of weight 0.",
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
