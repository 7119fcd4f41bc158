"""``lvs-ldirectord`` from outside: its exit codes, what it says, and the agents that it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx

PROGRAM = Path(sys.executable).with_name("lvs-ldirectord")
OPTIONS = "--ipvs memory --listen 127.0.0.1:0 --log-format json"


class Said(NamedTuple):
    """How one run of it ended."""

    code: int
    out: str
    err: str


class Ldirectord:
    """``lvs-ldirectord`` with its files in ``directory``; the agents that it starts have their tables in memory."""

    def __init__(self, directory: Path) -> None:
        self.run_dir = directory / "run"
        self.log = directory / "log" / "agent.log"
        self.directory = directory
        self.environment = {
            "LVS_LDIRECTORD_RUN_DIR": str(self.run_dir),
            "LVS_LDIRECTORD_LOG": str(self.log),
            "LVS_LDIRECTORD_DEFAULTS": str(directory / "defaults"),
            "LVS_AGENT_OPTIONS": OPTIONS,
        }

    def __call__(self, *words: str | Path, before: Sequence[str] = (), **environment: str) -> Said:
        """Run it to its end."""
        done = subprocess.run(
            [*before, PROGRAM, *words],
            env=self._environment(environment),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Start it and let it run."""
        return subprocess.Popen(
            [PROGRAM, *words],
            env=self._environment(environment),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        given = {**os.environ, **self.environment, **more}
        return {name: value for name, value in given.items() if value or name not in self.environment}

    def pid_by_name(self, config: Path) -> int:
        """The pid of a running agent from ``status``."""
        said = self(config, "status")
        assert said.code == 0, said
        return int(said.err.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        """The number in the one pid file that there is; raises ValueError if there is none."""
        (pid_file,) = self.pid_files
        return int(pid_file.read_text().partition("\n")[0])

    @property
    def serves(self) -> bool:
        """Whether the one agent is known to answer requests."""
        return [len(path.read_text().splitlines()) for path in self.pid_files] == [4]

    @property
    def pid_files(self) -> list[Path]:
        """Those that there are."""
        return sorted(self.run_dir.glob("*.pid"))

    def get(self, path: str) -> httpx.Response:
        """What the one agent answers."""
        (pid_file,) = self.pid_files
        return httpx.get(f"http://{pid_file.read_text().splitlines()[3]}{path}", trust_env=False)

    def events(self, *names: str) -> list[dict[str, object]]:
        """The lines of the log with these events."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] in names]

    def end_all(self) -> None:
        """Kill what it left."""
        for pid in [path.read_text().partition("\n")[0] for path in self.pid_files]:
            if pid and str(self.directory).encode() in _command_line(pid):
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def _command_line(pid: str) -> bytes:
    try:
        return Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return b""


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
