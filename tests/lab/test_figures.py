"""Under real traffic, /metrics shows exactly the numbers of ipvsadm and the kernel."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.lab.agent import until
from tests.lab.every_kind import BULK, BULK_BYTES, CONNECTIONS, FOREIGN, HELD, SCTP, STICKY, every_kind
from tests.lab.hosts import DEVICE, Host
from tests.lab.listing import (
    OPENMETRICS,
    STATISTICS,
    Figures,
    Row,
    Sample,
    exported,
    host_totals,
    listed,
    named_rows,
    promtool_findings,
    samples,
    scrape,
)
from tests.lab.net import Cluster

pytestmark = pytest.mark.ipvs

LATER = "10.1.0.102"
"""The address of a service that is added and deleted."""
REUSED_S = 1.0
"""A reading of the kernel serves every scrape for so long."""


class Rest(NamedTuple):
    """Everything that is read without traffic: the output of ipvsadm and the kernel, and both pages."""

    plain: dict[Row, list[str]]
    statistics: dict[Row, list[str]]
    thresholds: dict[Row, list[str]]
    persistent: dict[Row, list[str]]
    totals: list[str]
    version: str
    pages: dict[str, str]

    def page(self, kind: str) -> list[Sample]:
        return samples(self.pages[kind])


@pytest.fixture(scope="module")
def director(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One director for all tests: none of them changes what others look at."""
    with every_kind(tmp_path_factory.mktemp("figures")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def rest(director: Cluster) -> Rest:
    """Two equal readings of the kernel with both pages between them, and all connections counted.

    The kernel adds its counters up every two seconds, so that the last packet is in them a little later.
    """
    host = director.director
    found: list[Rest] = []

    def is_quiet() -> bool:
        before = read(host)
        pages = {"text": fresh(host), "openmetrics": scrape(host, accept=OPENMETRICS)}
        after = read(host)
        counted = {row: int(after.statistics[row][0]) for row in CONNECTIONS}
        found[:] = [after._replace(pages=pages)]
        return before == after and counted == CONNECTIONS and int(after.statistics[BULK][3]) > BULK_BYTES

    until(is_quiet, what="the counters are at rest", within_s=60.0)
    return found[0]


def read(host: Host) -> Rest:
    """The output of ipvsadm and /proc, without the agent."""
    header = host.run("head", "-n", "1", "/proc/net/ip_vs")
    return Rest(
        plain=listed(host),
        statistics=listed(host, "--stats", "--exact"),
        thresholds=listed(host, "--thresholds"),
        persistent=listed(host, "--persistent-conn"),
        totals=host_totals(host),
        version=header.strip(),
        pages={},
    )


def sums(rows: Figures) -> Figures:
    """The expected values of the services of these destinations: the sums over them, 0 without any."""
    added: Figures = {}
    for row, figures in rows.items():
        service = added.setdefault(Row(row.service), dict.fromkeys(figures, "0"))
        for suffix, text in figures.items():
            service[suffix] = str(int(service[suffix]) + int(text))
    return added


def servers_only(rows: dict[Row, list[str]]) -> dict[Row, list[str]]:
    """Without the lines of services, which show other things."""
    return {row: columns for row, columns in rows.items() if row.server}


BOTH_PAGES = pytest.mark.parametrize("kind", ["text", "openmetrics"])


@BOTH_PAGES
def test_counters_are_those_of_ipvsadm(rest: Rest, kind: str) -> None:
    """Connections, packets and bytes of every service and every destination, and of no other."""
    wanted = {row: dict(zip(STATISTICS, columns, strict=True)) for row, columns in rest.statistics.items()}

    assert exported(rest.page(kind), STATISTICS) == wanted


@BOTH_PAGES
def test_connections_are_those_of_ipvsadm(rest: Rest, kind: str) -> None:
    """Active, inactive and persistent connections of every destination, and their sums for the services."""
    names = ("persistent_connections", "active_connections", "inactive_connections")
    servers = {
        row: dict(zip(names, columns[1:], strict=True)) for row, columns in servers_only(rest.persistent).items()
    }

    assert exported(rest.page(kind), names) == servers | sums(servers)


@BOTH_PAGES
def test_weights_are_those_of_ipvsadm(rest: Rest, kind: str) -> None:
    """The weight of every destination, and their sums."""
    servers = {row: {"weight": columns[1]} for row, columns in servers_only(rest.plain).items()}

    assert exported(rest.page(kind), ["weight"]) == servers | sums(servers)


@BOTH_PAGES
def test_limits_are_those_of_ipvsadm(rest: Rest, kind: str) -> None:
    """The upper threshold of every destination."""
    limits = {row: {"connection_limit": columns[0]} for row, columns in servers_only(rest.thresholds).items()}

    assert exported(rest.page(kind), ["connection_limit"]) == limits
    assert "500" in {one["connection_limit"] for one in limits.values()}


def test_schedulers_flags_and_methods_are_those_of_ipvsadm(rest: Rest) -> None:
    """The words of the two info metrics say what ``ipvsadm -L`` shows of each row."""
    page = rest.page("text")
    rows = named_rows(page)
    methods = {"Masq": "masquerade", "Route": "direct", "Tunnel": "tunnel", "Local": "local"}
    shown = {row: " ".join(columns) for row, columns in rest.plain.items() if not row.server}
    services = {
        rows[one.labels["virtual_service"], ""]: one.labels for one in page if one.name == "lvs_virtual_service_info"
    }
    servers = {
        rows[one.labels["virtual_service"], one.labels["real_server"]]: one.labels["forward_method"]
        for one in page
        if one.name == "lvs_real_server_info"
    }

    assert {row: labels["scheduler"] for row, labels in services.items()} == {
        row: text.split()[0] for row, text in shown.items()
    }
    assert {row: labels["flags"] for row, labels in services.items() if labels["flags"]} == {
        STICKY: "persistent,sh-port"
    }
    assert shown[STICKY] == "sh (sh-port) persistent 300"
    assert exported(page, ["persistence_timeout_seconds"]) == {
        row: {"persistence_timeout_seconds": "300" if row == STICKY else "0"} for row in shown
    }
    assert servers == {row: methods[columns[0]] for row, columns in servers_only(rest.plain).items()}


@BOTH_PAGES
def test_totals_are_those_of_the_kernel(rest: Rest, kind: str) -> None:
    """The counters of the host are those of /proc/net/ip_vs_stats."""
    values = {one.name: one.text for one in rest.page(kind)}

    assert [values[f"lvs_{suffix}"] for suffix in STATISTICS] == rest.totals


def test_facts_about_ipvs_are_those_of_the_kernel(director: Cluster, rest: Rest) -> None:
    """Version, size of the connection table, settings and synchronisation daemons."""
    page = rest.page("text")
    found = re.fullmatch(r"IP Virtual Server version (\S+) \(size=(\d+)\)", rest.version)
    assert found is not None

    settings = {one.labels["name"]: one.text for one in page if one.name == "lvs_sysctl"}
    paths = [f"/proc/sys/net/ipv4/vs/{name}" for name in settings]
    daemons = [one.labels for one in page if one.name == "lvs_sync_daemon_up"]
    assert [one.labels["version"] for one in page if one.name == "lvs_ipvs_info"] == [found[1]]
    assert [one.text for one in page if one.name == "lvs_connection_table_buckets"] == [found[2]]
    assert list(settings.values()) == director.director.run("cat", *paths).split()
    assert {"conntrack", "expire_nodest_conn", "expire_quiescent_template", "run_estimation"} <= settings.keys()
    assert daemons == [{"role": "backup", "interface": DEVICE}]
    assert "backup sync daemon" in director.director.run("ipvsadm", "-L", "--daemon")


def test_services_of_one_address_and_one_mark_are_apart(rest: Rest) -> None:
    """TCP, UDP and SCTP on one address and port, and one mark in both families, each have their own connections."""
    foreign = Row(f"TCP {FOREIGN}")
    figures = exported(rest.page("text"), ["connections_total", "active_connections"])
    services = {row: one for row, one in figures.items() if not row.server}

    assert {row: int(one["connections_total"]) for row, one in services.items()} == {**CONNECTIONS, foreign: 0}
    assert {row: int(one["active_connections"]) for row, one in services.items() if row in HELD} == HELD
    assert figures[Row(SCTP.service, "10.0.0.2:5000")]["connections_total"] == str(CONNECTIONS[SCTP])


def test_counters_pass_32_bits(rest: Rest) -> None:
    """Bytes beyond 2^32 are neither wrapped nor rounded, for a service, its destination and the host."""
    page = rest.page("text")
    figures = exported(page, ["incoming_bytes_total"])
    server = figures[Row(BULK.service, "10.0.0.2:9000")]
    total = next(one.text for one in page if one.name == "lvs_incoming_bytes_total")

    assert figures[BULK] == server
    assert BULK_BYTES < int(server["incoming_bytes_total"]) <= int(total)


def test_tools_of_the_field_accept_the_pages(rest: Rest) -> None:
    """promtool finds nothing, the reference parser reads OpenMetrics, and both pages have the same series."""
    text, openmetrics = rest.pages["text"], rest.pages["openmetrics"]
    plain = {(one.name, frozenset(one.labels.items())) for family in parse_text(text) for one in family.samples}
    strict = {
        (one.name, frozenset(one.labels.items()))
        for family in parse_openmetrics(openmetrics)  # type: ignore[no-untyped-call]
        for one in family.samples
    }

    assert promtool_findings(text) == ""
    assert plain == strict


def test_new_row_begins_at_0_and_an_old_one_leaves_no_series(director: Cluster, rest: Rest) -> None:
    """What is added is counted from 0, although its predecessor had connections; what is removed is gone at once."""
    host = director.director
    name, service, server = f"{LATER}:80", Row(f"TCP {LATER}:80"), Row(f"TCP {LATER}:80", "10.0.0.1:80")
    host.add_address(LATER)
    add(host, name)
    assert director.client.get(f"http://{LATER}/name").status == 200
    until(lambda: counters(host).get(server, {}).get("connections_total") == "1", what="the connection is counted")
    host.run("ipvsadm", "-D", "-t", name)
    assert not counters(host).keys() & {service, server}

    add(host, name)
    again = counters(host)
    assert again[service] == again[server] == dict.fromkeys(STATISTICS, "0")

    host.run("ipvsadm", "-d", "-t", name, "-r", server.server)
    assert counters(host).keys() & {service, server} == {service}
    host.run("ipvsadm", "-D", "-t", name)
    assert not any(name in text for one in samples(fresh(host)) for text in one.labels.values())


def add(host: Host, service: str) -> None:
    """Add a foreign service with one server."""
    host.run("ipvsadm", "-A", "-t", service, "-s", "rr")
    host.run("ipvsadm", "-a", "-t", service, "-r", "10.0.0.1:80", "-m")


def fresh(host: Host) -> str:
    """A page from a fresh reading of the kernel."""
    time.sleep(REUSED_S + 0.1)
    return scrape(host)


def counters(host: Host) -> Figures:
    """Every row that /metrics has counters of, now."""
    return exported(samples(fresh(host)), STATISTICS)
