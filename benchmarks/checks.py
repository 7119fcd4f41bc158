"""CPU time of one HTTP check: our engine, the whole agent, and keepalived, at the same rate against the same server.

    python -m benchmarks.checks [--servers 1000] [--seconds 10] [--rounds 3]

Needs gcc, and keepalived for the comparison.  Does not need root or IPVS.  The server that answers the checks counts
them.  /proc has the CPU time.  Rounds alternate between the candidates, and the best round of each one counts, because
a busy machine can only add time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.addresses import loopback_addresses
from benchmarks.processes import WebServer, build_directory, ended, used, wait_for, web_server

START_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much is checked: ``servers`` times each ``interval_s``."""

    servers: int
    interval_s: float

    @property
    def rate(self) -> float:
        return self.servers / self.interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One round of one candidate.  ``start_s``: seconds from the start until as many checks as servers are answered."""

    rate: float
    cpu_us: float
    start_s: float
    resident_mib: float


Start = Callable[[Path, int, Load], "subprocess.Popen[str] | None"]
"""Starts a candidate against the server's port with files in a directory; None if it is not installed."""


def start_engine(_: Path, port: int, load: Load) -> subprocess.Popen[str]:
    arguments = [str(port), str(load.servers), str(load.interval_s)]
    return subprocess.Popen([sys.executable, "-m", "benchmarks.engine_process", *arguments], text=True)


def start_agent(directory: Path, port: int, load: Load) -> subprocess.Popen[str]:
    config = directory / "agent.toml"
    config.write_text(agent_config(directory, port, load))
    command = [sys.executable, "-m", "lvs_agent", "run", "--ipvs", "memory", "--listen", "127.0.0.1:0"]
    with (directory / "agent.log").open("w") as log:
        return subprocess.Popen([*command, "--config", str(config)], text=True, stdout=log, stderr=log)


def start_keepalived(directory: Path, port: int, load: Load) -> subprocess.Popen[str] | None:
    program = shutil.which("keepalived", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or load.interval_s != round(load.interval_s):
        return None
    config = directory / "keepalived.conf"
    config.write_text(keepalived_config(port, load))
    files = ["-f", str(config), "-p", str(directory / "keepalived.pid"), "-c", str(directory / "checkers.pid")]
    environment = {**os.environ, "LD_PRELOAD": str(directory / "answer_ipvs.so")}
    with (directory / "keepalived.log").open("w") as log:
        return subprocess.Popen([program, "-n", "-G", "-C", *files], text=True, env=environment, stdout=log, stderr=log)


CANDIDATES: Mapping[str, Start] = {
    "keepalived": start_keepalived,
    "lvs-agent, engine and probes": start_engine,
    "lvs-agent, the whole agent": start_agent,
}


def agent_config(directory: Path, port: int, load: Load) -> str:
    servers = "".join(
        f'[[virtual_service.real_server]]\naddress = "{address}"\nport = {port}\n'
        for address in loopback_addresses(load.servers)
    )
    return (
        f'[agent]\nstate_dir = "{directory}"\n'
        '[[virtual_service]]\nname = "benchmark"\nprotocol = "tcp"\naddress = "192.0.2.1"\nport = 80\n'
        'scheduler = "wlc"\nforwarding = "masquerade"\n[virtual_service.check]\ntype = "http"\npath = "/test.html"\n'
        f'interval = "{round(load.interval_s * 1_000)}ms"\ntimeout = "1s"\n{servers}'
    )


def keepalived_config(port: int, load: Load) -> str:
    check = f"HTTP_GET {{ url {{ path /test.html\n status_code 200 }}\n connect_timeout 1\n connect_port {port}\n }}"
    servers = "".join(
        f"real_server {address} 80 {{\n weight 1\n {check}\n }}\n" for address in loopback_addresses(load.servers)
    )
    return (
        "virtual_server 192.0.2.1 80 {\n lb_algo wlc\n lb_kind DR\n protocol TCP\n"
        f" delay_loop {round(load.interval_s)}\n{servers}}}\n"
    )


@contextmanager
def started(start: Start, directory: Path, server: WebServer, load: Load) -> Iterator[tuple[int, float] | None]:
    """The candidate's process number and the seconds it took to check every server once."""
    before, begin = server.served(), time.monotonic()
    process = start(directory, server.port, load)
    if process is None:
        yield None
        return
    with ended(process):
        wait_for(lambda: server.served() - before >= load.servers, within_s=START_LIMIT_S)
        yield process.pid, time.monotonic() - begin


def measure(start: Start, directory: Path, server: WebServer, load: Load, *, seconds: float) -> Measured | None:
    with started(start, directory, server, load) as candidate:
        if candidate is None:
            return None
        pid, start_s = candidate
        time.sleep(2)
        begin, before, served = time.monotonic(), used(pid), server.served()
        time.sleep(seconds)
        passed, after, served = time.monotonic() - begin, used(pid), server.served() - served
    return Measured(
        rate=served / passed,
        cpu_us=(after.cpu_s - before.cpu_s) / max(served, 1) * 1e6,
        start_s=start_s,
        resident_mib=after.resident_mib,
    )


def best(rounds: list[Measured]) -> Measured:
    """The round with the least CPU time per check."""
    return min(rounds, key=lambda measured: measured.cpu_us)


def compare(directory: Path, server: WebServer, load: Load, *, seconds: float, rounds: int) -> dict[str, Measured]:
    found: dict[str, list[Measured]] = {name: [] for name in CANDIDATES}
    for _ in range(rounds):
        for name, start in CANDIDATES.items():
            try:
                measured = measure(start, directory, server, load, seconds=seconds)
            except TimeoutError as problem:
                print(f"{name}: every server checked once: {problem}", file=sys.stderr)
                continue
            if measured is not None:
                found[name].append(measured)
    return {name: best(measured) for name, measured in found.items() if measured}


def show(load: Load, found: Mapping[str, Measured]) -> None:
    reference = found.get("keepalived")
    print(f"\n{load.servers} real servers, one HTTP check each {load.interval_s:g} s ({load.rate:,.0f}/s)")
    print(f"{'':32}{'checks/s':>10}{'CPU µs/check':>14}{'ratio':>8}{'start s':>9}{'RSS MiB':>9}")
    for name, one in found.items():
        ratio = f"{one.cpu_us / reference.cpu_us:.2f}" if reference else "-"
        figures = f"{one.rate:>10,.0f}{one.cpu_us:>14.1f}{ratio:>8}{one.start_s:>9.2f}{one.resident_mib:>9.0f}"
        print(f"{name:32}{figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=18_080)
    parser.add_argument("--fast", action="store_true", help="five times the rate as well")
    options = parser.parse_args()
    loads = [Load(servers=options.servers, interval_s=1.0)]
    if options.fast:
        loads.append(Load(servers=options.servers * 5, interval_s=1.0))
    with build_directory() as directory, web_server(directory, port=options.port) as server:
        for load in loads:
            show(load, compare(directory, server, load, seconds=options.seconds, rounds=options.rounds))


if __name__ == "__main__":
    main()
