"""Prometheus and its companions on a host of the lab: started, asked, and ended with the host's network.

All of them listen on every address of their host.  Go programs need a second or two to start in the lab kernel.
"""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.lab.agent import until
from tests.lab.hosts import Host

NODE_EXPORTER_PORT, PROMETHEUS_PORT, ALERTMANAGER_PORT = 9100, 9090, 9093
START_S = 60.0
"""How long a start may take on a busy machine."""

Labels = frozenset[tuple[str, str]]


class Answer(NamedTuple):
    """The answer of a program over HTTP."""

    status: int
    body: str


def ask(host: Host, port: int, path: str, *, timeout_s: float = 20.0) -> Answer:
    """One GET on ``host`` itself.  Raises OSError if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        with host.inside():
            connection.connect()
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode())
    finally:
        connection.close()


class Program:
    """A program on ``host`` that is ready when it answers ``ready`` on ``port`` with 200."""

    def __init__(self, host: Host, *command: str | Path, port: int, ready: str, log: Path) -> None:
        self.host = host
        self.port = port
        with log.open("w") as file:
            self._process = host.start(*command, stdout=file.fileno(), stderr=subprocess.STDOUT)
        self._ready = ready
        self._log = log

    def wait(self) -> None:
        """Return when it is ready.  Raises AssertionError with what it logged when it ends instead."""
        until(self._is_ready, what=f"{self._log.name}: ready", within_s=START_S)

    def json(self, path: str) -> Any:
        """What it answers to ``path``.  Raises AssertionError if that is an error."""
        answer = ask(self.host, self.port, path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return ask(self.host, self.port, self._ready).status == 200
        except OSError:
            return False


class Prometheus(Program):
    """Prometheus with its files in ``directory``.  It scrapes and evaluates each second.

    ``jobs``: the targets of each job.  ``rules``: files whose groups are to have no interval of their own.
    """

    def __init__(
        self,
        host: Host,
        directory: Path,
        *,
        jobs: Mapping[str, Sequence[str]],
        rules: Sequence[Path] = (),
        alertmanagers: Sequence[str] = (),
    ) -> None:
        configuration = directory / "prometheus.yml"
        configuration.write_text(
            # JSON is YAML.
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                    "rule_files": list(map(str, rules)),
                    "scrape_configs": [
                        {"job_name": job, "static_configs": [{"targets": list(targets)}]}
                        for job, targets in jobs.items()
                    ],
                    "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
                }
            )
        )
        super().__init__(
            host,
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=0.0.0.0:{PROMETHEUS_PORT}",
            port=PROMETHEUS_PORT,
            ready="/-/ready",
            log=directory / "prometheus.log",
        )

    def query(self, expression: str) -> dict[Labels, float]:
        """The samples that ``expression`` has now."""
        data = self.json(f"/api/v1/query?{urlencode({'query': expression})}")["data"]
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in data["result"]}

    def problems(self) -> list[str]:
        """What is wrong with targets and rules."""
        targets = self.json("/api/v1/targets")["data"]["activeTargets"]
        groups = self.json("/api/v1/rules")["data"]["groups"]
        return [
            *(f"{one['scrapeUrl']}: {one['lastError']}" for one in targets if one["lastError"]),
            *(f"{rule['name']}: {rule['lastError']}" for one in groups for rule in one["rules"] if "lastError" in rule),
        ]


def node_exporter(host: Host, directory: Path) -> Program:
    """node_exporter with its ipvs collector only."""
    return Program(
        host,
        "prometheus-node-exporter",
        "--collector.disable-defaults",
        "--collector.ipvs",
        f"--web.listen-address=0.0.0.0:{NODE_EXPORTER_PORT}",
        port=NODE_EXPORTER_PORT,
        ready="/metrics",
        log=directory / "node_exporter.log",
    )


class Alertmanager(Program):
    """Alertmanager with its files in ``directory``, alone."""

    def __init__(self, host: Host, directory: Path, *, configuration: str) -> None:
        path = directory / "alertmanager.yml"
        path.write_text(configuration)
        super().__init__(
            host,
            "prometheus-alertmanager",
            f"--config.file={path}",
            f"--storage.path={directory / 'alertmanager'}",
            f"--web.listen-address=0.0.0.0:{ALERTMANAGER_PORT}",
            "--cluster.listen-address=",
            port=ALERTMANAGER_PORT,
            ready="/-/ready",
            log=directory / "alertmanager.log",
        )

    def alerts(self, **labels: str) -> dict[str, set[str]]:
        """The names of the alerts that fire and have ``labels``, by state: "active", "suppressed"."""
        names: dict[str, set[str]] = {"active": set(), "suppressed": set()}
        for one in self.json("/api/v2/alerts"):
            if labels.items() <= one["labels"].items():
                names[one["status"]["state"]].add(one["labels"]["alertname"])
        return names
