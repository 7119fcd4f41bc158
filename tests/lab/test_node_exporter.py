"""Beside node_exporter: the same numbers where it is correct, correct ones where it is not, and its names by rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.agent import PORT, until
from tests.lab.every_kind import BULK, CONNECTIONS, FOREIGN, HELD, SCTP, SIX, STICKY, UDP, WEB, every_kind
from tests.lab.hosts import Host
from tests.lab.listing import Row, exported, samples, scrape
from tests.lab.monitoring import NODE_EXPORTER_PORT, Labels, Prometheus, ask, node_exporter
from tests.lab.net import VIP, VIP6

pytestmark = pytest.mark.ipvs

ROOT = Path(__file__).parents[2]
RULES, GUIDE = ROOT / "alerts/migration", ROOT / "docs/migrating-from-exporters.md"
TOTALS = tuple(
    f"node_ipvs_{name}_total"
    for name in ("connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes")
)
BACKENDS = (
    "node_ipvs_backend_connections_active",
    "node_ipvs_backend_connections_inactive",
    "node_ipvs_backend_weight",
)
STREAM_SERVER = {("remote_address", "10.0.0.2"), ("remote_port", "5000")}
"""The one server of the SCTP service."""
BOTH_FAMILIES = {("local_mark", "0000000B"), ("remote_address", "10.0.0.3")}
"""A server of two services with one mark."""


class Setting(NamedTuple):
    """A director with the agent, node_exporter and Prometheus on it."""

    director: Host
    prometheus: Prometheus

    def series(self, job: str, name: str) -> dict[Labels, float]:
        """What Prometheus has of ``name`` from ``job``, without what differs between any two jobs."""
        ours = {"__name__", "job", "instance"}
        found = self.prometheus.query(f'{name}{{job="{job}"}}')
        return {frozenset(one for one in labels if one[0] not in ours): value for labels, value in found.items()}

    def is_quiet(self) -> bool:
        """Whether everything was recorded, and no packet was counted for four seconds.

        The kernel adds its counters up every two seconds.
        """
        packets = 'node_ipvs_incoming_packets_total{job="lvs_agent"}[4s]'
        still = self.prometheus.query(f"changes({packets}) == 0 and count_over_time({packets}) >= 3")
        recorded = f'keepalived_lvs_vip_conn{{addr="{VIP}:80", proto="6"}} == {CONNECTIONS[WEB]}'
        return bool(still) and bool(self.prometheus.query(recorded))


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """All of them at work on a table that has everything, with one mark in both families twice."""
    directory = tmp_path_factory.mktemp("beside")
    with every_kind(directory) as cluster:
        host = cluster.director
        # The kernel takes no destination of the other family while connections are synchronised.
        host.run("ipvsadm", "--stop-daemon", "backup")
        for family, method, weight in (((), "-g", "2"), (("-6",), "-i", "5")):
            host.run("ipvsadm", "-A", "-f", "11", *family, "-s", "rr")
            host.run("ipvsadm", "-a", "-f", "11", *family, "-r", "10.0.0.3", method, "-w", weight)
        exporter = node_exporter(host, directory)
        jobs = {"lvs_agent": [f"127.0.0.1:{PORT}"], "node": [f"127.0.0.1:{NODE_EXPORTER_PORT}"]}
        prometheus = Prometheus(host, directory, jobs=jobs, rules=sorted(RULES.glob("*.rules.yml")))
        exporter.wait()
        prometheus.wait()
        setting = Setting(host, prometheus)
        until(setting.is_quiet, what="every connection is counted, scraped and recorded", within_s=60.0)
        yield setting


@pytest.mark.parametrize("name", [*TOTALS, *BACKENDS])
def test_rebuilt_series_equal_the_originals(setting: Setting, name: str) -> None:
    """The migration rules give node_exporter's labels and values, for everything that it gets right."""

    def original() -> dict[Labels, float]:
        series = setting.series("node", name)
        return {labels: value for labels, value in series.items() if not labels >= STREAM_SERVER}

    def rebuilt() -> dict[Labels, float]:
        series = setting.series("lvs_agent", name)
        return {labels: value for labels, value in series.items() if ("proto", "SCTP") not in labels}

    until(lambda: original() == rebuilt() != {}, what=f"both have the same {name}", within_s=60.0)
    assert len(original()) == (1 if name in TOTALS else 11)
    until(lambda: setting.prometheus.problems() == [], what="every target is scraped")


def test_sctp_is_booked_on_its_own_service(setting: Setting) -> None:
    """node_exporter books SCTP servers on the service that /proc has before theirs; ours are where they belong."""
    page = ask(setting.director, NODE_EXPORTER_PORT, "/metrics").body
    lines = "\n".join(line for line in page.splitlines() if line.startswith("node_ipvs"))
    theirs = [one.labels for one in samples(lines) if set(one.labels.items()) >= STREAM_SERVER]
    ours = frozenset({*STREAM_SERVER, ("proto", "SCTP"), ("local_address", VIP), ("local_port", "80")})

    assert len(theirs) == len(BACKENDS)
    assert "SCTP" not in {labels["proto"] for labels in theirs}
    assert setting.series("lvs_agent", "node_ipvs_backend_weight")[ours] == 5
    assert setting.series("lvs_agent", "node_ipvs_backend_connections_active")[ours] == HELD[SCTP]


def test_the_guides_query_finds_only_what_is_wrong(setting: Setting) -> None:
    """Between the two jobs nothing differs but the SCTP server, whose service node_exporter does not know."""
    (query,) = [text for text in re.findall(r"```promql\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "unless" in text]

    (found,) = setting.prometheus.query(query)
    assert found >= STREAM_SERVER


def test_one_mark_in_both_families_is_apart(setting: Setting) -> None:
    """node_exporter adds up a server that two services of one mark have; ours tells them apart."""
    (theirs,) = (
        value for labels, value in setting.series("node", "node_ipvs_backend_weight").items() if labels >= BOTH_FAMILIES
    )
    ours = exported(samples(scrape(setting.director)), ["weight"])

    assert theirs == 7
    assert ours[Row("FWM 11", "10.0.0.3:0")] == ours[Row("FWM 11")] == {"weight": "2"}
    assert ours[Row("FWM 11 IPv6", "10.0.0.3:0")] == ours[Row("FWM 11 IPv6")] == {"weight": "5"}


def test_names_of_keepalived_exporter_are_made(setting: Setting) -> None:
    """Its counters of virtual and real servers, by address and number of the protocol."""
    connections = {
        tuple(value for _, value in sorted(labels)): value
        for labels, value in setting.series("lvs_agent", "keepalived_lvs_vip_conn").items()
    }
    bulk = frozenset({("vip", f"{VIP}:9000"), ("addr", "10.0.0.2:9000"), ("proto", "6")})
    figures = exported(samples(scrape(setting.director)), ["incoming_bytes_total"])[Row(BULK.service, "10.0.0.2:9000")]

    assert connections == {
        (f"{VIP}:80", "6"): CONNECTIONS[WEB],
        (f"{VIP}:80", "17"): CONNECTIONS[UDP],
        (f"{VIP}:80", "132"): CONNECTIONS[SCTP],
        (f"{VIP}:81", "6"): CONNECTIONS[STICKY],
        (f"{VIP}:9000", "6"): CONNECTIONS[BULK],
        (f"{VIP6}:80", "6"): CONNECTIONS[SIX],
        (FOREIGN, "6"): 0,
    }
    assert setting.series("lvs_agent", "keepalived_lvs_rs_in_bytes")[bulk] == float(figures["incoming_bytes_total"])
