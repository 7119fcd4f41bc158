"""How fast twenty servers are taken out and put back, with an interval and a time limit of one second."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.agent import Agent
from tests.lab.hosts import BARE_PYTHON
from tests.lab.net import VIP, Cluster

pytestmark = pytest.mark.ipvs

PORTS = range(8001, 8021)
INTERVAL_S = TIMEOUT_S = 1.0
MARGIN_S = 0.1
"""What batching, the round and the kernel may take beyond interval and time limit."""
START_WITHIN_S = 2.0
PATIENCE_S = 10.0
BUSY = 2.0
"""How much longer it may take where other tests have the processors: what is promised is measured in the least of a few
runs, and printed."""

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
    """Twenty servers on one host, an agent, and an eye on the table."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._director = cluster.director
        self.agent = Agent(cluster.director, directory)
        self.agent.configure(CONFIGURATION)
        script = Path(__file__).with_name("many_servers.py")
        self._servers = cluster.servers[0].start(
            *BARE_PYTHON, script, *map(str, PORTS), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._answer()

    def tell(self, command: str, port: int) -> float:
        """Have a server refuse, hang or be well; the moment at which it was so."""
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
            time.sleep(0.002)
        return time.monotonic()

    def clear(self) -> None:
        """Empty the table and let nobody remember it."""
        self._director.run("ipvsadm", "-C")
        self.agent.forget()

    def _ports_in_table(self) -> set[int]:
        with self._director.inside():
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
        yield Bench(cluster, directory)


@pytest.fixture
def full(bench: Bench) -> Bench:
    """The bench with every server well and in the table."""
    if not bench.agent.is_running:
        bench.agent.start()
    for port in PORTS:
        bench.tell("well", port)
    bench.when(lambda ports: ports == set(PORTS))
    return bench


def test_start_fills_the_table_soon(bench: Bench) -> None:
    """From the start of the process to twenty servers in an empty table."""

    def start() -> float:
        if bench.agent.is_running:
            bench.agent.stop()
            bench.clear()
        began = time.monotonic()
        bench.agent.start(ready=False)
        return bench.when(lambda ports: ports == set(PORTS)) - began

    taken = least(start, within_s=START_WITHIN_S)
    print(f"start to full table: {taken:.3f} s")
    assert taken <= BUSY * START_WITHIN_S


def least(measure: Callable[[], float], *, within_s: float) -> float:
    """The least of up to five measurements: what a busy machine adds is never negative."""
    found = measure()
    for _ in range(4):
        if found <= within_s:
            break
        found = min(found, measure())
    return found


@pytest.mark.parametrize("port", [8001, 8007, 8013, 8020])
@pytest.mark.parametrize(
    ("command", "within_s"),
    [
        pytest.param("refuse", INTERVAL_S, id="refusing server"),
        pytest.param("hang", INTERVAL_S + TIMEOUT_S, id="hanging server"),
    ],
)
def test_dead_server_is_out_and_recovered_server_is_in(full: Bench, command: str, within_s: float, port: int) -> None:
    """A server that refuses is out within an interval, one that hangs within interval and time limit, each is back
    within an interval; a tenth of a second more is for everything else.
    """

    def leave() -> float:
        full.tell("well", port)
        full.when(lambda ports: port in ports)
        down = full.tell(command, port)
        return full.when(lambda ports: port not in ports) - down

    def come_back() -> float:
        full.tell(command, port)
        full.when(lambda ports: port not in ports)
        back = full.tell("well", port)
        return full.when(lambda ports: port in ports) - back

    out = least(leave, within_s=within_s + MARGIN_S)
    into = least(come_back, within_s=INTERVAL_S + MARGIN_S)

    print(f"{command}: out after {out:.3f} s, in after {into:.3f} s")
    assert out <= BUSY * (within_s + MARGIN_S)
    assert into <= BUSY * (INTERVAL_S + MARGIN_S)
