"""What ipvsadm lists and what /metrics shows, brought to the same form: text values by row of the kernel's table.

A row is named as ipvsadm names it: ``Row("FWM 10 IPv6", "[2001:db8::1]:80")``, with an empty server for the service
itself.  Values stay the text that was printed, so that a comparison sees every digit.
"""

from __future__ import annotations

import http.client
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.lab.agent import PORT
from tests.lab.hosts import Host

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
STATISTICS: tuple[str, ...] = (
    "connections_total",
    "incoming_packets_total",
    "outgoing_packets_total",
    "incoming_bytes_total",
    "outgoing_bytes_total",
)
"""The columns of ``ipvsadm -L --stats``, as the metrics of services, servers and the host end."""

_PROTOCOLS = ("TCP", "UDP", "SCTP", "FWM")
_SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="([^"\\]*)"')


class Row(NamedTuple):
    """A service, or with ``server`` one of its destinations."""

    service: str
    server: str = ""


class Sample(NamedTuple):
    """One line of a scrape."""

    name: str
    labels: Mapping[str, str]
    text: str


Figures = dict[Row, dict[str, str]]


def listed(host: Host, *options: str) -> dict[Row, list[str]]:
    """The columns of every row of ``ipvsadm -L -n`` with ``options``."""
    rows: dict[Row, list[str]] = {}
    service = ""
    for line in host.run("ipvsadm", "-L", "-n", *options).splitlines():
        words = line.split()
        if words[:1] and words[0] in _PROTOCOLS:
            length = 3 if words[2:3] == ["IPv6"] else 2
            service = " ".join(words[:length])
            rows[Row(service)] = words[length:]
        elif words[:1] == ["->"] and service:
            rows[Row(service, words[1])] = words[2:]
    return rows


def host_totals(host: Host) -> list[str]:
    """The counters of the whole host as /proc/net/ip_vs_stats has them, in the order of ``STATISTICS``."""
    text = host.run("cat", "/proc/net/ip_vs_stats")
    words = next(words for line in text.splitlines() if _is_hexadecimal(words := line.split()))
    return [str(int(word, 16)) for word in words]


def scrape(host: Host, *, accept: str = "") -> str:
    """The page of the agent on ``host``."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        with host.inside():
            connection.connect()
        connection.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status != 200:
        raise AssertionError(f"/metrics: {response.status} {body}")
    return body


def samples(page: str) -> list[Sample]:
    """Every line of ``page`` that is not a comment.  Raises AssertionError for one that is not a sample."""
    found = []
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        assert match is not None, line
        found.append(Sample(match[1], dict(_LABEL.findall(match[2] or "")), match[3]))
    return found


def named_rows(page: Sequence[Sample]) -> dict[tuple[str, str], Row]:
    """The row that each pair of the labels ``virtual_service`` and ``real_server`` (or "") stands for."""
    services = {
        one.labels["virtual_service"]: _service(one.labels) for one in page if one.name == "lvs_virtual_service_info"
    }
    rows = {(name, ""): Row(service) for name, service in services.items()}
    for one in page:
        if one.name == "lvs_real_server_info":
            name = one.labels["virtual_service"]
            server = _endpoint(one.labels["remote_address"], one.labels["remote_port"])
            rows[name, one.labels["real_server"]] = Row(services[name], server)
    return rows


def exported(page: Sequence[Sample], suffixes: Sequence[str]) -> Figures:
    """The metrics of services and servers that end in ``suffixes``, by row.  Raises KeyError for an unknown row."""
    rows = named_rows(page)
    wanted = {f"lvs_{kind}_{suffix}": suffix for kind in ("virtual_service", "real_server") for suffix in suffixes}
    figures: Figures = {}
    for one in page:
        if one.name in wanted:
            row = rows[one.labels["virtual_service"], one.labels.get("real_server", "")]
            figures.setdefault(row, {})[wanted[one.name]] = one.text
    return figures


def promtool_findings(page: str) -> str:
    """The findings of ``promtool check metrics`` in ``page``; empty if there are none."""
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=page,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return f"status {done.returncode}: {done.stdout}" if done.returncode or done.stdout else ""


def _service(labels: Mapping[str, str]) -> str:
    if labels["proto"] == "FWM":
        family = " IPv6" if labels["address_family"] == "inet6" else ""
        return f"FWM {int(labels['local_mark'], 16)}{family}"
    return f"{labels['proto']} {_endpoint(labels['local_address'], labels['local_port'])}"


def _is_hexadecimal(words: Sequence[str]) -> bool:
    return len(words) == len(STATISTICS) and all(set(word) <= set("0123456789ABCDEFabcdef") for word in words)


def _endpoint(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
