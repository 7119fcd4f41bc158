"""From ldirectord to lvs-agent and back, with one configuration, under continuous requests."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.lab.agent import until
from tests.lab.hosts import Host, Load
from tests.lab.net import VIP, Cluster

pytestmark = pytest.mark.ipvs

LDIRECTORD = Path("/usr/sbin/ldirectord")
OURS = Path(sys.executable).with_name("lvs-ldirectord")
SERVICE, FIRST, SECOND, THIRD = f"{VIP}:80 wrr", "10.0.0.1:80 Route 1", "10.0.0.2:80 Route 3", "10.0.0.3:80 Route 1"
ALL = (SERVICE, FIRST, SECOND, THIRD)
LOOK_S = 0.02


def configuration(*, cleanstop: str = "no", quiescent: str = "no") -> str:
    """A file as users have it."""
    return f"""# web servers
checktimeout=3
checkinterval=1
autoreload=no
quiescent={quiescent}
cleanstop={cleanstop}

virtual={VIP}:80
        real=10.0.0.1:80 gate
        real=10.0.0.2:80 gate 3
        real=10.0.0.3:80 gate
        service=http
        request="test.html"
        receive="test"
        scheduler=wrr
        protocol=tcp
        checktype=negotiate
"""


class Director:
    """The director of a cluster, with both programs and one configuration for them."""

    def __init__(self, host: Host, directory: Path) -> None:
        self._host = host
        # ldirectord calls its pid file, and the agent its state directory, after the file.
        self._config = directory / f"changeover-{os.getpid()}-{time.monotonic_ns()}.cf"
        self._directory = directory
        self._log = directory / "agent.log"
        self._pid_file = Path(f"/var/run/ldirectord.{self._config.name}.pid")

    def write(self, text: str) -> None:
        """The configuration, with a log of its own for ldirectord."""
        self._config.write_text(f'logfile="{self._directory}/ldirectord.log"\n{text}')

    def start_ldirectord(self) -> None:
        """It returns before it has touched the table."""
        self._host.run(LDIRECTORD, self._config, "start")

    def end_ldirectord(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal (its own stop sends SIGTERM too, and does not wait)."""
        pid = int(self._pid_file.read_text())
        os.kill(pid, number)
        until(lambda: not _is(pid, self._config.name), what="ldirectord has ended")

    def ours(self, *words: str) -> str:
        """Run lvs-ldirectord, and return its output."""
        environment = {
            "LVS_LDIRECTORD_RUN_DIR": self._directory / "run",
            "LVS_LDIRECTORD_LOG": self._log,
            "LVS_LDIRECTORD_DEFAULTS": self._directory / "defaults",
            "LVS_AGENT_OPTIONS": "--log-format json",
        }
        assignments = [f"{name}={value}" for name, value in environment.items()]
        return self._host.run("env", *assignments, OURS, self._config, *words)

    def operations(self) -> list[dict[str, Any]]:
        """Everything that the agent has done to the table."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "operation_applied"]

    def operations_of_ldirectord(self) -> list[str]:
        """Every row that ldirectord has added, deleted or given another weight, as its log tells."""
        lines = (self._directory / "ldirectord.log").read_text().splitlines()
        return [line for line in lines if re.search(r"\] (Added|Restored|Readd|Quiescent|Deleted|Purged) ", line)]

    def rows(self) -> tuple[str, ...]:
        """The table: of a service its address and scheduler, of a destination its address, forwarding and weight."""
        with self._host.inside():
            # That of this thread: the process is in a different namespace.
            words = [line.split() for line in Path("/proc/thread-self/net/ip_vs").read_text().splitlines()[3:]]
        return tuple(sorted((_row(line) for line in words), key=lambda row: (not row.startswith(VIP), row)))

    def connections(self) -> dict[str, int]:
        """How many connections each row has counted since it was made."""
        lines = self._host.run("ipvsadm", "-L", "-n", "--stats", "--exact").splitlines()
        rows = [line.split() for line in lines if line.split()[-1].isdigit()]
        return {row[1]: int(row[2]) for row in rows}

    def clean(self) -> None:
        """End what was started, and remove what outlives it."""
        self.ours("stop", "--keep-table")
        if self._pid_file.exists() and _is(int(self._pid_file.read_text()), self._config.name):
            self.end_ldirectord(signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)
        for name in (self._config.name, self._config.stem):
            shutil.rmtree(f"/var/lib/lvs-agent/{name}", ignore_errors=True)


def _is(pid: int, word: str) -> bool:
    """Whether a process lives that has ``word`` on its command line."""
    try:
        return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _row(words: list[str]) -> str:
    """A line of /proc/net/ip_vs, read."""
    if words[0] == "->":
        return f"{_address(words[1])} {words[2]} {words[3]}"
    return f"{_address(words[1])} {words[2]}"


def _address(written: str) -> str:
    """``0A000001:0050`` as people write it."""
    address, port = written.split(":")
    return f"{'.'.join(str(byte) for byte in bytes.fromhex(address))}:{int(port, 16)}"


class Watch:
    """Observations from outside: the ``tables`` in order, and the ``counts`` of connections."""

    def __init__(self, director: Director, load: Load) -> None:
        self.load = load
        self.tables: list[tuple[str, ...]] = []
        self.counts: list[dict[str, int]] = []
        self._director = director

    def look(self) -> None:
        """Note the table, if it is another one now."""
        rows = self._director.rows()
        if self.tables[-1:] != [rows]:
            self.tables.append(rows)

    def count(self) -> None:
        """Note the counts."""
        self.counts.append(self._director.connections())

    @property
    def renewed(self) -> set[str]:
        """The rows that have lost the connections they had counted: somebody deleted them and added them again."""
        return {row for old, new in pairwise(self.counts) for row, count in old.items() if new.get(row, -1) < count}


@contextmanager
def watched(director: Director, cluster: Cluster) -> Iterator[Watch]:
    """Within the block forty requests a second go out, and the table is looked at every few milliseconds."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            watch.look()

    with cluster.client.load(f"http://{VIP}/name", rate=40) as load:
        watch = Watch(director, load)
        looking = threading.Thread(target=look)
        looking.start()
        try:
            time.sleep(1.0)
            watch.count()
            yield watch
            watch.count()
            time.sleep(1.0)
        finally:
            over.set()
            looking.join()


@pytest.fixture
def cluster(restored: Cluster) -> Cluster:
    """The same hosts for all tests: three servers that are up."""
    return restored


@pytest.fixture
def director(cluster: Cluster, tmp_path: Path) -> Iterator[Director]:
    """The director of that cluster."""
    director = Director(cluster.director, tmp_path)
    director.write(configuration())
    yield director
    director.clean()


@pytest.mark.parametrize(
    ("cleanstop", "ending", "keeping"),
    [
        pytest.param("no", signal.SIGTERM, (), id="by stop where cleanstop=no"),
        pytest.param("yes", signal.SIGKILL, ("--keep-table",), id="by kill -9 where cleanstop=yes"),
    ],
)
def test_change_over_and_back_are_not_noticed(
    director: Director, cluster: Cluster, cleanstop: str, ending: signal.Signals, keeping: tuple[str, ...]
) -> None:
    """Every request is answered, the table is the same at every moment, and no row is made anew."""
    director.write(configuration(cleanstop=cleanstop))
    director.start_ldirectord()
    until(lambda: director.rows() == ALL, what="ldirectord has made the table")
    time.sleep(2.0)  # it goes on with a round of its own before it settles
    made = director.operations_of_ldirectord()

    with watched(director, cluster) as watch:
        director.end_ldirectord(ending)
        watch.count()
        director.ours("start")
        time.sleep(2.0)
        watch.count()
        director.ours("stop", *keeping)
        watch.count()
        director.start_ldirectord()
        time.sleep(4.0)

    assert watch.load.failures == []
    assert set(watch.load.served) == {"rs1", "rs2", "rs3"}
    assert watch.tables == [ALL]
    assert watch.renewed == set()
    assert director.operations() == []
    assert director.operations_of_ldirectord() == made
    assert len(made) >= len(ALL)


@pytest.mark.parametrize(
    ("quiescent", "table"),
    [("no", (SERVICE, FIRST, SECOND)), ("yes", (SERVICE, FIRST, SECOND, "10.0.0.3:80 Route 0"))],
)
def test_dead_server_stays_out_over_the_change(
    director: Director, cluster: Cluster, quiescent: str, table: tuple[str, ...]
) -> None:
    """The table keeps what ldirectord has found, and no client is sent to the dead server."""
    director.write(configuration(quiescent=quiescent))
    director.start_ldirectord()
    until(lambda: director.rows() == ALL, what="ldirectord has made the table")
    cluster.servers[2].server.stop()
    until(lambda: director.rows() == table, what="ldirectord has found the dead server")

    with watched(director, cluster) as watch:
        director.end_ldirectord()
        director.ours("start")
        time.sleep(3.0)

    assert watch.load.failures == []
    assert set(watch.load.served) == {"rs1", "rs2"}
    assert watch.tables == [table]
    assert watch.renewed == set()
    assert director.operations() == []


@pytest.mark.parametrize(("cleanstop", "left"), [("yes", ()), ("no", ALL)])
def test_stop_leaves_what_cleanstop_says(director: Director, cleanstop: str, left: tuple[str, ...]) -> None:
    """The table is gone, or as it was, when stop returns."""
    director.write(configuration(cleanstop=cleanstop))
    director.ours("start")
    made = director.rows()
    director.ours("stop")

    assert (made, director.rows()) == (ALL, left)


def test_restart_is_not_noticed_where_stop_would_clean_the_table(director: Director, cluster: Cluster) -> None:
    """Restart, try-restart and reload keep the service available."""
    director.write(configuration(cleanstop="yes"))
    director.ours("start")

    with watched(director, cluster) as watch:
        for word in ("restart", "try-restart", "reload"):
            director.ours(word)
            watch.count()

    assert watch.load.failures == []
    assert watch.tables == [ALL]
    assert watch.renewed == set()
    assert len(director.operations()) == len(ALL)
