"""What /livez and /readyz cost beside many checks: the answer must not take longer for 10,000 than for 10.

    python -m benchmarks.liveness [--checks 10,10000] [--requests 300] [--rounds 5]

The server is the agent's own, over the agent's own state.  Rounds alternate, and the best median of each counts; a
snapshot, which both endpoints do without, is timed beside them.
"""

from __future__ import annotations

import argparse
import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from statistics import median

from lvs_agent.clock import SystemClock
from lvs_agent.control.memory import Memory
from lvs_agent.control.state import AgentState
from lvs_agent.core.snapshot import ConfigStatus, EngineStatus, Snapshot
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Passed, Target
from lvs_agent.model.intent import Intent
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources

PATHS = ("/livez", "/readyz")
START_LIMIT_S = 60.0


def state_with(checks: int) -> AgentState:
    """The state of an agent whose ``checks`` have all run."""
    clock = SystemClock()
    names = [CheckId(f"check {number}") for number in range(checks)]
    target = Target(address=ip_address("127.0.0.1"), port=1, settings=None)
    specs = {
        name: CheckSpec(
            id=name, kind="tcp", target=target, interval_s=1, down_interval_s=1, timeout_s=1, rise=1, fall=1
        )
        for name in names
    }
    config = ConfigStatus(digest="", common_digest="", path="", loaded_at=0, reconcile_interval_s=10)
    state = AgentState(clock=clock, writes=False, intent=Intent(checks=specs), config=config, memory=Memory())
    state.checks_reported([CheckReport(name, Passed(), 0.0, 0.001, 0.0) for name in names])
    return state


@dataclass(frozen=True, slots=True)
class Agent:
    """A state, and the server that tells of it."""

    state: AgentState
    connection: http.client.HTTPConnection

    def snapshot(self) -> Snapshot:
        """What the status and /metrics are made from."""
        return self.state.snapshot(engine=EngineStatus(), log_messages={})

    def ask(self, path: str) -> None:
        """One request on a connection that stays open."""
        self.connection.request("GET", path)
        self.connection.getresponse().read()


@contextmanager
def serving(checks: int) -> Iterator[Agent]:
    """An agent with so many checks."""
    state = state_with(checks)
    sources = Sources(
        snapshot=lambda: state.snapshot(engine=EngineStatus(), log_messages={}),
        vitals=partial(state.vitals, last_turn_age_s=0.0),
    )
    server = WebServer(listener=bind(("127.0.0.1", 0)), sources=sources, backend=MemoryIpvs(), clock=SystemClock())
    server.start()
    try:
        server.wait_until_serving(START_LIMIT_S)
        host, _, port = server.address.rpartition(":")
        yield Agent(state, http.client.HTTPConnection(host, int(port)))
    finally:
        server.stop()


def median_us(work: Callable[[], object], *, times: int) -> float:
    """The median of ``times`` durations of ``work``."""
    durations = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return median(durations) * 1e6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--checks", default="10,10000", help="numbers of checks; the first is what others are held to"
    )
    arguments.add_argument("--requests", type=int, default=300)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    best: dict[tuple[int, str], float] = {}
    counts = [int(count) for count in given.checks.split(",")]
    for _ in range(given.rounds):
        for count in counts:
            with serving(count) as agent:
                agent.ask(PATHS[0])
                measured = {path: median_us(partial(agent.ask, path), times=given.requests) for path in PATHS}
                measured["snapshot"] = median_us(agent.snapshot, times=max(3, given.requests // 30))
            for what, duration in measured.items():
                best[count, what] = min(duration, best.get((count, what), duration))
    print(f"{'':10}" + "".join(f"{count:>12,} checks" for count in counts) + "   ratio")
    for what in (*PATHS, "snapshot"):
        figures = [best[count, what] for count in counts]
        print(f"{what:10}" + "".join(f"{figure:>16,.0f} µs" for figure in figures) + f"{figures[-1] / figures[0]:8.2f}")


if __name__ == "__main__":
    main()
