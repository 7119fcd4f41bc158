"""Debian's Prometheus on the director of a scenario test."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.lab.agent import until
from tests.lab.hosts import Host

PORT = 9090
CONFIGURATION = """
global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: lvs_agent
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """Scrapes ``target`` every other second and evaluates ``rules``; ends with its host."""

    def __init__(self, host: Host, directory: Path, *, target: str, rules: str) -> None:
        self._host = host
        self._directory = directory
        (directory / "rules.yml").write_text(rules)
        text = CONFIGURATION.format(rules=directory / "rules.yml", target=target)
        (directory / "prometheus.yml").write_text(text)

    def start(self) -> None:
        """Returns when it answers."""
        command = (
            "prometheus",
            f"--config.file={self._directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{PORT}",
        )
        with (self._directory / "prometheus.log").open("w") as log:
            self._host.start(*command, stderr=log.fileno())
        until(self._is_ready, what="Prometheus answers")

    def at(self, expr: str, *, time: float) -> list[dict[str, Any]]:
        """The series of an expression at a moment: ``metric`` and ``value``.  Raises AssertionError if it is wrong."""
        return self._ask("query", query=expr, time=time)

    def over(self, expr: str, *, start: float, end: float) -> list[dict[str, Any]]:
        """The series of an expression over a time, one value a second: ``metric`` and ``values``."""
        return self._ask("query_range", query=expr, start=start, end=end, step=1)

    def _ask(self, kind: str, **parameters: object) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        try:
            with self._host.inside():
                connection.connect()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", f"/api/v1/{kind}", urlencode(parameters), headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", f"{parameters['query']}: {answer.get('error')}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def _is_ready(self) -> bool:
        try:
            return self._host.get(f"http://127.0.0.1:{PORT}/-/ready").status == 200
        except OSError:
            return False
