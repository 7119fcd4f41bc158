"""The agent as a process of its own, seen from outside only: its log, its HTTP interface, its signals, its end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.forkserver import COMMAND, popen

Line = Mapping[str, Any]

END_WITHIN_S = 2.0
"""SIGTERM ends the agent within this time."""
PATIENCE_S = 40.0
"""Longer than anything here takes, even on a machine with other things to do."""

_PAIR = r'[a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^\s"=]*)'
_LOGFMT = re.compile(rf"{_PAIR}(?: {_PAIR})*")
_ONE_PAIR = re.compile(r'([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_ESCAPED = re.compile(r"\\(.)")


def parse_logfmt(line: str) -> Line:
    """The pairs of a line.  Raises ValueError if it is not made of pairs."""
    if _LOGFMT.fullmatch(line) is None:
        raise ValueError(f"not a line of key=value pairs: {line!r}")
    return {key: _ESCAPED.sub(r"\1", quoted) or plain for key, quoted, plain in _ONE_PAIR.findall(line)}


class Agent:
    """One run of ``lvs-agent run``; within a ``with`` block, so that no process is left behind.

    ``before`` is put before the command (such as a program that sets limits).  ``written`` is the text on standard
    error; ``strange`` are the lines in it that are not lines of the log.
    """

    def __init__(
        self,
        config: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        parse: Callable[[str], Line] = parse_logfmt,
    ) -> None:
        self.written: list[str] = []
        self.strange: list[str] = []
        self._lines: list[Line] = []
        self._parse = parse
        self._news = threading.Condition()
        self._deaf = threading.Event()
        command = [*COMMAND, "run", "--config", str(config), "--ipvs", "memory", "--listen", "127.0.0.1:0", *arguments]
        self._process = popen(
            [*before, *command],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.client = httpx.Client(trust_env=False, timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()

    def _listen(self) -> None:
        with self._process.stderr or nullcontext(()) as lines:
            for line in lines:
                if self._deaf.is_set():
                    return
                self._take(line)

    def _take(self, line: str) -> None:
        with self._news:
            self.written.append(line)
            try:
                self._lines.append(self._parse(line.rstrip("\n")))
            except ValueError:
                self.strange.append(line)
            self._news.notify_all()

    # --- the log --------------------------------------------------------------------------------------------------

    def lines(self, event: str = "", **facts: str) -> list[Line]:
        """The lines of ``event`` so far (of all, without one) that have ``facts``."""
        wanted = {**facts, **({"event": event} if event else {})}
        with self._news:
            return [line for line in self._lines if wanted.items() <= line.items()]

    def wait_for(self, event: str, *, count: int = 1, **facts: str) -> Line:
        """The ``count``-th line of ``event`` with ``facts``, as soon as it is there."""
        give_up = time.monotonic() + PATIENCE_S
        while len(found := self.lines(event, **facts)) < count:
            with self._news:
                self._news.wait(0.02)
            if time.monotonic() > give_up or (self._process.poll() is not None and not self._listener.is_alive()):
                raise AssertionError(f"no {event} {facts} in:\n{''.join(self.written)}")
        return found[count - 1]

    # --- HTTP -----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens, as the log says."""
        return f"http://{self.wait_for('started')['listen']}"

    def get(self, path: str) -> httpx.Response:
        """What it answers."""
        return self.client.get(self.url + path)

    def status(self) -> dict[str, Any]:
        """The answer of /api/v1/status."""
        document: dict[str, Any] = self.get("/api/v1/status").json()
        return document

    def servers(self) -> dict[str, dict[str, Any]]:
        """What the status says of each real server, by name."""
        return {server["name"]: server for service in self.status()["services"] for server in service["real_servers"]}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples ``name`` that have ``labels``."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith(name)]
        families = text_string_to_metric_families("".join(f"{line}\n" for line in lines))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        assert samples, f"no metric {name}"
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that the log does not show."""
        looked = time.monotonic()
        give_up = looked + PATIENCE_S
        while not condition():
            now = time.monotonic()
            if now > give_up:
                raise AssertionError(f"it did not come to that:\n{''.join(self.written)}")
            time.sleep(max(0.02, now - looked))  # half of the time, at least, is the agent's
            looked = time.monotonic()

    def wait_until_ready(self) -> None:
        """Wait until /readyz says so."""
        self.until(lambda: self.get("/readyz").status_code == 200)

    def stop_reading(self) -> None:
        """Close the log's other end with the next line, as a log collector that dies does."""
        self._deaf.set()

    # --- the process ----------------------------------------------------------------------------------------------

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal that ends it, and give back its exit status."""
        self.send(number)
        return self.end_status()

    def end_status(self) -> int:
        """Its exit status, once it has ended."""
        status = self._process.wait(PATIENCE_S)
        self._listener.join()
        return status


def parse_json(line: str) -> Line:
    """The object of a line of a JSON log."""
    document = json.loads(line)
    if not isinstance(document, dict):
        raise ValueError(f"not an object: {line!r}")  # noqa: TRY004 - the text is what is wrong
    return document
