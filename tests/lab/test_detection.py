"""How fast twenty servers are taken out and put back, with an interval and a time limit of one second."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.forkserver import COMMAND
from tests.lab.agent import Agent, until
from tests.lab.hosts import BARE_PYTHON, Host
from tests.lab.net import VIP, Cluster

pytestmark = pytest.mark.ipvs

PORTS = range(8001, 8021)
INTERVAL_S = TIMEOUT_S = 1.0
MARGIN_S = 0.1
"""What batching, the round and the kernel may take beyond interval and time limit."""
START_WITHIN_S = 1.5
PATIENCE_S = 10.0
RUNS, ON_GRID = "lvs_real_server_check_duration_seconds_count", 2
"""From its second run a check has a full interval from each run to the next; until then it may be one and a half."""
POLL_S = 0.01
"""How often the table is read; oftener would take the one processor of the lab kernel from the agent."""

CHECK = f"""{{ type = "http", path = "/test.html", body_contains = "test", rise = 1, fall = 1,
interval = "{INTERVAL_S:g}s", timeout = "{TIMEOUT_S:g}s" }}""".replace("\n", " ")
CONFIGURATION = f"""
[[virtual_service]]
address = "{VIP}"
port = 80
scheduler = "wrr"
forwarding = "masquerade"
check = {CHECK}
""" + "".join(f'[[virtual_service.real_server]]\naddress = "10.0.0.1"\nport = {port}\n' for port in PORTS)


class Bench:
    """Twenty servers on one host, an agent, and a watch on the table."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.director = cluster.director
        self.agent = Agent(cluster.director, directory)
        self.agent.configure(CONFIGURATION)
        script = Path(__file__).with_name("many_servers.py")
        self._servers = cluster.servers[0].start(
            *BARE_PYTHON, script, *map(str, PORTS), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._answer()

    def tell(self, command: str, port: int) -> float:
        """Let a server refuse, hang or work, and return the time at which it did."""
        if self._servers.stdin is None:
            raise RuntimeError("the servers have no input")
        self._servers.stdin.write(f"{command} {port}\n")
        self._servers.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        if self._servers.stdout is None:
            raise RuntimeError("the servers have no output")
        return self._servers.stdout.readline()

    def when(self, condition: Callable[[set[int]], bool]) -> float:
        """The moment at which the ports in the table meet ``condition``."""
        give_up = time.monotonic() + PATIENCE_S
        while not condition(self._ports_in_table()):
            if time.monotonic() > give_up:
                raise AssertionError(f"the table has {sorted(self._ports_in_table())}")
            time.sleep(POLL_S)
        return time.monotonic()

    def clear(self) -> None:
        """Empty the table and remove the state of the agent."""
        self.director.run("ipvsadm", "-C")
        self.agent.forget()

    def _ports_in_table(self) -> set[int]:
        with self.director.inside():
            lines = Path("/proc/thread-self/net/ip_vs").read_text().splitlines()
        rows = [line.split() for line in lines if line.startswith("  -> ") and "Masq" in line]
        return {int(row[1].partition(":")[2], 16) for row in rows}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Healthy servers, and an agent that was not started yet."""
    directory = tmp_path_factory.mktemp("detection")
    with Cluster(servers=1, directory=directory) as cluster:
        cluster.director.add_address(VIP)
        cluster.servers[0].accept_masqueraded()
        cluster.director.run(*COMMAND, "--version")  # from here on its modules are imported
        yield Bench(cluster, directory)


@pytest.fixture(scope="module")
def pace(bench: Bench) -> Pace:
    """What the limits of this module are held against on a busy machine."""
    return Pace(bench.director)


@pytest.fixture
def full(bench: Bench) -> Bench:
    """The bench with every server up and in the table, and every check on its grid."""
    if not bench.agent.is_running:
        bench.agent.start()
    for port in PORTS:
        bench.tell("well", port)
    bench.when(lambda ports: ports == set(PORTS))
    until(lambda: bench.agent.metric(RUNS) >= ON_GRID * len(PORTS), what="every check is on its grid")
    return bench


class Pace:
    """How much longer than at its best this machine takes for the same work, while a block runs."""

    def __init__(self, director: Host) -> None:
        script = Path(__file__).with_name("pace.py")
        self._process = director.start(*BARE_PYTHON, script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer()

    def begin(self) -> None:
        """Begin a look."""
        if self._process.stdin is None:
            raise RuntimeError("the pace has no input")
        self._process.stdin.write("b")
        self._process.stdin.flush()

    def end(self) -> float:
        """End the look: how many times longer than at best."""
        self.begin()
        return float(self._answer())

    def _answer(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("the pace has no output")
        return self._process.stdout.readline()


def measured(what: str, measure: Callable[[], float], pace: Pace, *, clock_s: float, work_s: float) -> None:
    """Hold ``measure`` to ``clock_s``, which intervals and time limits take on any machine, and to ``work_s``, what the
    work takes beyond on this machine at its best.
    """
    pace.begin()
    took = measure()
    longer = pace.end()
    print(f"{what}: {took:.3f} s, work takes {longer:.2f} times as long as at best")
    assert took <= clock_s + work_s * longer


def test_start_fills_the_table_soon(bench: Bench, pace: Pace) -> None:
    """From the start of the agent, with its modules imported, to twenty servers in an empty table."""
    if bench.agent.is_running:
        bench.agent.stop()
        bench.clear()

    def start() -> float:
        began = time.monotonic()
        bench.agent.start(ready=False)
        return bench.when(lambda ports: ports == set(PORTS)) - began

    measured("start to full table", start, pace, clock_s=0.0, work_s=START_WITHIN_S)


@pytest.mark.parametrize("port", [8001, 8007, 8013, 8020])
@pytest.mark.parametrize(
    ("command", "within_s"),
    [
        pytest.param("refuse", INTERVAL_S, id="refusing server"),
        pytest.param("hang", INTERVAL_S + TIMEOUT_S, id="hanging server"),
    ],
)
def test_dead_server_is_out_and_recovered_server_is_in(
    full: Bench, pace: Pace, command: str, within_s: float, port: int
) -> None:
    """A server that refuses is out within an interval, one that hangs within interval and time limit, each is back
    within an interval; a tenth of a second more is for everything else.
    """

    def leave() -> float:
        down = full.tell(command, port)
        return full.when(lambda ports: port not in ports) - down

    def come_back() -> float:
        back = full.tell("well", port)
        return full.when(lambda ports: port in ports) - back

    measured(f"{command}: out", leave, pace, clock_s=within_s, work_s=MARGIN_S)
    measured(f"{command}: back", come_back, pace, clock_s=INTERVAL_S, work_s=MARGIN_S)
