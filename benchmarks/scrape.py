"""What a scrape costs: our writer against prometheus_client's, and the agent against node_exporter's ipvs collector.

    python -m benchmarks.scrape [--servers 1000,10000] [--rounds 5]

Needs prometheus-node-exporter for the comparison.  Does not need root or IPVS.  The exporter reads a fabricated procfs,
and the agent has the same table in memory.  So neither figure includes the time that the kernel needs.  The time to
decode netlink's bytes is shown separately.  Rounds alternate, and the best one counts, because a busy machine can only
add time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import http.client
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from benchmarks.processes import ended, used, wait_for
from benchmarks.scrape_worlds import World
from lvs_agent.ipvs.codec import decode_destination
from lvs_agent.ipvs.rows import DestinationReader, Heads
from lvs_agent.metrics.exposition import Exposition
from lvs_agent.metrics.reading import Reading
from lvs_agent.model.ipvs import Family
from lvs_agent.web.packing import Gzip
from tests.table_collector import TableCollector

OPENMETRICS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
"""What Prometheus 2.42 sends."""
FORMATS = {"text": "", "OpenMetrics": OPENMETRICS}
START_LIMIT_S = 180.0
_TICK_S = 0.002
_BODY_IS_REUSED_S = 1.1


# --- in this process ---------------------------------------------------------------------------------------------


def cpu_ms(work: Callable[[], object], *, rounds: int) -> float:
    """The least CPU time that ``work`` took."""
    gc.collect()
    gc.freeze()
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    gc.unfreeze()
    return min(taken) * 1e3


def of_library(read: Callable[[], Reading], accept: str) -> Callable[[], bytes]:
    """The page as prometheus_client writes it."""
    registry = CollectorRegistry()
    registry.register(TableCollector(read))
    encode, _ = choose_encoder(accept)
    return lambda: encode(registry)


def of_ours(read: Callable[[], Reading], accept: str) -> Callable[[], bytes]:
    """The page from our writer, which keeps parts between scrapes."""
    exposition = Exposition()
    return lambda: exposition.render(read(), accept=accept).body


def of_ours_packed(read: Callable[[], Reading], accept: str) -> Callable[[], bytes]:
    """The page as it is sent: each part is compressed before the next is written."""
    exposition = Exposition()
    return lambda: exposition.render(read(), accept=accept, packer=Gzip()).body


def show_writers(world: World, *, rounds: int) -> None:
    read = world.readings()
    series = sum(not line.startswith(b"#") for line in of_ours(read, "")().splitlines())
    print(f"\n{world.servers:,} real servers, {series:,} series: joined, written and encoded, CPU ms")
    print(f"{'':16}{'prometheus_client':>18}{'lvs-agent':>12}{'ratio':>8}{'with gzip':>12}")
    for name, accept in FORMATS.items():
        library = cpu_ms(of_library(read, accept), rounds=max(1, rounds // 2))
        ours = cpu_ms(of_ours(read, accept), rounds=rounds)
        packed = cpu_ms(of_ours_packed(read, accept), rounds=rounds)
        print(f"{name:16}{library:>18.1f}{ours:>12.1f}{library / ours:>8.1f}{packed:>12.1f}", flush=True)
    for name, taken in rows_apart(world, rounds=rounds).items():
        print(f"{name:34}{taken:>12.1f}", flush=True)


def rows_apart(world: World, *, rounds: int) -> dict[str, float]:
    """CPU time to decode netlink's rows: each one completely, those of a first reading, and those of a later one."""
    earlier, rows = (world.netlink_rows(reading=reading) for reading in range(2))

    def read(last: Heads, payloads: list[bytes]) -> Heads:
        reader = DestinationReader(last)
        found = [reader.read(row, family=Family.INET) for row in payloads]
        return reader.seen if all(found) else {}

    seen = read({}, earlier)
    return {
        "netlink rows decoded: completely": cpu_ms(
            lambda: [decode_destination(row, family=Family.INET) for row in rows], rounds=rounds
        ),
        "  in the first reading": cpu_ms(lambda: read({}, rows), rounds=rounds),
        "  in a later reading": cpu_ms(lambda: read(seen, rows), rounds=rounds),
    }


async def lag_ms(work: Callable[[], object], *, rounds: int) -> tuple[float, float, float]:
    """Delay of a timer of this loop while a thread does ``work``: median, 99th percentile and maximum, in ms."""
    late: list[float] = []
    loop = asyncio.get_running_loop()
    working = loop.run_in_executor(None, lambda: [work() for _ in range(rounds)])
    while not working.done():
        due = time.perf_counter() + _TICK_S
        await asyncio.sleep(_TICK_S)
        late.append((time.perf_counter() - due) * 1e3)
    await working
    cuts = quantiles(late, n=100) if len(late) > 1 else [*late] * 99
    return cuts[49], cuts[98], max(late)


def show_lag(world: World, *, rounds: int) -> None:
    read = world.readings()
    candidates: Mapping[str, Callable[[], object]] = {
        "nothing": lambda: time.sleep(0.5),
        "prometheus_client": lambda: gzip.compress(of_library(read, OPENMETRICS)()),
        "lvs-agent": of_ours_packed(read, OPENMETRICS),
    }
    print(f"\nDelay of a timer of the check loop during {rounds} scrapes, ms")
    print(f"{'':24}{'median':>10}{'p99':>10}{'worst':>10}")
    for name, work in candidates.items():
        work()
        gc.collect()
        gc.freeze()
        median, late, worst = asyncio.run(lag_ms(work, rounds=rounds))
        gc.unfreeze()
        print(f"{name:24}{median:>10.1f}{late:>10.1f}{worst:>10.1f}", flush=True)


# --- whole processes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """One exporter: the best scrape, the CPU time of a scrape, the bytes sent and the number of series."""

    wall_ms: float
    cpu_ms: float
    sent_kib: float
    series: int
    resident_mib: float


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def agent(world: World, directory: Path, port: int) -> Iterator[int]:
    config = directory / "agent.toml"
    config.write_text(world.configuration(directory))
    command = [sys.executable, "-m", "lvs_agent", "run", "--ipvs", "memory", "--config", str(config)]
    with (directory / "agent.log").open("w") as log:
        process = subprocess.Popen([*command, "--listen", f"127.0.0.1:{port}"], text=True, stdout=log, stderr=log)
    with ended(process):
        wait_for(lambda: answers(port, "/readyz"), within_s=START_LIMIT_S)
        yield process.pid


@contextmanager
def node_exporter(world: World, directory: Path, port: int) -> Iterator[int]:
    world.write_procfs(directory / "procfs")
    options = ["--collector.disable-defaults", "--collector.ipvs", "--web.disable-exporter-metrics"]
    where = [f"--path.procfs={directory / 'procfs'}", f"--web.listen-address=127.0.0.1:{port}"]
    with (directory / "node_exporter.log").open("w") as log:
        process = subprocess.Popen(["prometheus-node-exporter", *options, *where], text=True, stdout=log, stderr=log)
    with ended(process):
        wait_for(lambda: answers(port, "/metrics"), within_s=START_LIMIT_S)
        yield process.pid


Start = Callable[[World, Path, int], AbstractContextManager[int]]


def answers(port: int, path: str) -> bool:
    try:
        return get(port, path)[0] == 200
    except OSError:
        return False


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Accept": OPENMETRICS, "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def scraped(pid: int, port: int, *, rounds: int) -> Scraped:
    """Measure ``rounds`` scrapes, far enough apart that none gets the body of an earlier one."""
    get(port, "/metrics")
    walls, cpus, body = [], [], b""
    for _ in range(rounds):
        time.sleep(_BODY_IS_REUSED_S)
        before, begin = used(pid).cpu_s, time.perf_counter()
        _, body = get(port, "/metrics")
        walls.append(time.perf_counter() - begin)
        cpus.append(used(pid).cpu_s - before)
    lines = gzip.decompress(body).splitlines()
    return Scraped(
        wall_ms=min(walls) * 1e3,
        cpu_ms=sum(cpus) / len(cpus) * 1e3,
        sent_kib=len(body) / 1_024,
        series=sum(not line.startswith(b"#") for line in lines),
        resident_mib=used(pid).resident_mib,
    )


def show_exporters(world: World, *, rounds: int) -> None:
    candidates: dict[str, Start] = {"lvs-agent": agent}
    if shutil.which("prometheus-node-exporter"):
        candidates = {"node_exporter (ipvs)": node_exporter, **candidates}
    print(f"\n{world.servers:,} real servers, one scrape over HTTP, compressed")
    heads = f"{'series':>10}{'wall ms':>10}{'CPU ms':>10}{'CPU us/series':>15}{'KiB sent':>10}{'RSS MiB':>9}"
    print(f"{'':24}{heads}{'wall ratio':>12}{'ratio/series':>14}")
    reference: Scraped | None = None
    for name, start in candidates.items():
        with tempfile.TemporaryDirectory(prefix="lvs-agent-benchmark-") as place:
            port = free_port()
            with start(world, Path(place), port) as pid:
                one = scraped(pid, port, rounds=rounds)
        reference = reference or one
        figures = f"{one.series:>10,}{one.wall_ms:>10.1f}{one.cpu_ms:>10.1f}{one.cpu_ms / one.series * 1e3:>15.2f}"
        ratio = reference.wall_ms / one.wall_ms
        of_series = ratio * one.series / reference.series
        print(f"{name:24}{figures}{one.sent_kib:>10.0f}{one.resident_mib:>9.0f}{ratio:>12.2f}{of_series:>14.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", default="1000,10000", help="how many real servers there are, one run for each")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for servers in map(int, options.servers.split(",")):
        world = World(servers=servers)
        show_writers(world, rounds=options.rounds)
        show_lag(world, rounds=options.rounds)
        show_exporters(world, rounds=options.rounds)


if __name__ == "__main__":
    main()
