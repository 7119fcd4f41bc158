"""The check engine alone in its own process: ``python -m benchmarks.engine_process PORT SERVERS INTERVAL``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import uvloop

from benchmarks.addresses import loopback_addresses
from lvs_agent.checks.engine.engine import Engine
from lvs_agent.checks.kinds import checkers
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.clock import SystemClock
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Passed, Target


def specs(*, port: int, servers: int, interval_s: float) -> list[CheckSpec]:
    settings = checkers()["http"].settings.model_validate({"path": "/test.html"})
    return [
        CheckSpec(
            id=CheckId(f"check of {address}"),
            kind="http",
            target=Target(address=address, port=port, settings=settings),
            interval_s=interval_s,
            down_interval_s=interval_s,
            timeout_s=1.0,
            rise=1,
            fall=1,
        )
        for address in loopback_addresses(servers)
    ]


def report(batch: Sequence[CheckReport]) -> None:
    for one in batch:
        if not isinstance(one.result, Passed):
            print(one, file=sys.stderr)


async def main(*, port: int, servers: int, interval_s: float) -> None:
    engine = Engine(clock=SystemClock(), report=report, resources=ProbeResources())
    engine.configure(specs(port=port, servers=servers, interval_s=interval_s))
    await engine.run()


if __name__ == "__main__":
    uvloop.run(main(port=int(sys.argv[1]), servers=int(sys.argv[2]), interval_s=float(sys.argv[3])))
