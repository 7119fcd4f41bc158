"""The agent on the director of a scenario test: started, signalled and asked like any other program."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.lab.hosts import Host

PORT = 9659
PATIENCE_S = 60.0
"""Default time limit.  It is long because everything in the lab kernel shares one processor."""


def until(condition: Callable[[], bool], *, what: str, within_s: float = PATIENCE_S) -> float:
    """Wait for ``condition``, and return the seconds that it took.  Raises AssertionError after ``within_s``.

    Most of the time is left to the other programs: in the lab kernel, which has one processor, evaluating the condition
    may take as long as their work.
    """
    began = looked = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now - began > within_s:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(max(0.02, 4 * (now - looked)))
        looked = time.monotonic()
    return time.monotonic() - began


class Agent:
    """``lvs-agent run`` on ``host``, with its files in ``directory``."""

    def __init__(self, host: Host, directory: Path) -> None:
        self._host = host
        self.path = directory / "config.toml"
        self._settings = {"state_dir": str(directory / "state"), "listen": f"127.0.0.1:{PORT}"}
        self._log = directory / "agent.log"
        self._process: subprocess.Popen[str] | None = None

    def configure(self, text: str, **agent: str) -> None:
        """Replace the configuration as an editor does: written beside it, then renamed.

        ``agent``: keys of its table [agent], from now on.
        """
        self._settings |= agent
        lines = ["[agent]", *(f'{key} = "{value}"' for key, value in self._settings.items()), text]
        fresh = self.path.with_suffix(".new")
        fresh.write_text("\n".join(lines))
        fresh.rename(self.path)

    def start(self, *options: str, ready: bool = True) -> None:
        """Start it; returns when every check has run and the table was in sync once."""
        command: tuple[str | Path, ...] = (
            sys.executable,
            "-m",
            "lvs_agent",
            "run",
            "--config",
            self.path,
            "--log-format",
            "json",
            *options,
        )
        with self._log.open("a") as log:
            self._process = self._host.start(*command, stderr=log.fileno())
        if ready:
            until(self._is_ready, what="the agent is ready")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """End it with a signal; its exit status, and the seconds that it took."""
        began = time.monotonic()
        self.send(number)
        status = self._running.wait(PATIENCE_S)
        return status, time.monotonic() - began

    def reload(self, text: str) -> None:
        """Put ``text`` in force with SIGHUP, and wait until it is and the table is in sync with it."""
        reloads = self.metric("lvs_agent_config_reloads_total")
        rounds = self.status()["reconcile"]["rounds"]
        self.configure(text)
        self.send(signal.SIGHUP)
        until(lambda: self.metric("lvs_agent_config_reloads_total") > reloads, what="the configuration is reloaded")
        until(lambda: self.is_settled(after=rounds), what="every server has its health and the table is in sync")

    def is_settled(self, *, after: int = 0) -> bool:
        """Whether more rounds than ``after`` were made, the health of every server is known and nothing is pending."""
        status = self.status()
        servers = [server for service in status["services"] for server in service["real_servers"]]
        rounds, pending = status["reconcile"]["rounds"], status["reconcile"]["pending"]
        return rounds > after and not pending and all(server["membership"] != "waiting" for server in servers)

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self._running.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def forget(self) -> None:
        """Remove its state directory."""
        shutil.rmtree(self._settings["state_dir"], ignore_errors=True)

    def status(self) -> dict[str, Any]:
        """The document of /api/v1/status."""
        document: dict[str, Any] = json.loads(self._get("/api/v1/status"))
        return document

    def server(self, name: str) -> dict[str, Any]:
        """What the status says of the real server ``name`` (of the first service that has it)."""
        for service in self.status()["services"]:
            for server in service["real_servers"]:
                if server["name"] == name:
                    found: dict[str, Any] = server
                    return found
        raise KeyError(name)

    def history(self, query: str = "") -> list[dict[str, Any]]:
        """The entries of /api/v1/events."""
        entries: list[dict[str, Any]] = json.loads(self._get(f"/api/v1/events{query}"))["events"]
        return entries

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples called ``name`` that have ``labels``; 0 if there are none."""
        # Reading the other lines would take as much of the one processor as the agent's work does.
        lines = [line for line in self._get("/metrics").splitlines() if line.startswith(name)]
        return sum(
            sample.value
            for family in text_string_to_metric_families("".join(f"{line}\n" for line in lines))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def operations(self) -> list[dict[str, Any]]:
        """Every operation that was applied, as logged."""
        return self.events("operation_applied")

    def events(self, *names: str) -> list[dict[str, Any]]:
        """The log lines with these events."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] in names]

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the agent was not started")
        return self._process

    def _is_ready(self) -> bool:
        if self._running.poll() is not None:
            raise AssertionError(f"the agent ended with {self._running.returncode}: {self._log.read_text()[-2000:]}")
        try:
            return self._host.get(f"http://127.0.0.1:{PORT}/readyz").status == 200
        except OSError:
            return False

    def _get(self, path: str) -> str:
        answer = self._host.get(f"http://127.0.0.1:{PORT}{path}", timeout_s=10.0)
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer.status} {answer.body}")
        return answer.body
