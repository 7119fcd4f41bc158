"""Every kind of check in a real worker: it passes, and goes on when its check or its worker goes in the middle."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lvs_agent.checks.kinds import checkers
from lvs_agent.model.check import CheckId, CheckSpec, Errored, ErrorReason, Failed, Passed
from lvs_agent.model.workers import LossCause
from tests.checks.cases import all_cases
from tests.checks.conftest import Certificates, certificates
from tests.checks.servers import run
from tests.workers.bench import Bench, a_bench

__all__ = ["certificates"]

CASES = all_cases()
KINDS = sorted(checkers())
MIDDLE_S = 0.1


def again(check: CheckSpec) -> CheckSpec:
    """A check that runs often, so that a test sees its next run."""
    return replace(check, interval_s=0.5, down_interval_s=0.5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if CASES[kind].healthy is not None])
def test_healthy_server_passes(kind: str, certificates: Certificates) -> None:
    """As in the process of the tests: settings, secrets, certificates and programs reach the worker."""
    healthy = CASES[kind].healthy
    assert healthy is not None

    async def main() -> None:
        async with healthy(certificates) as check, a_bench() as bench:
            await bench.begin(again(check))
            await bench.until(lambda: any(isinstance(report.result, Passed) for report in bench.reports))

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_check_goes_on_whatever_goes_in_the_middle(kind: str, certificates: Certificates) -> None:
    """Its worker is killed, it is configured anew, it is removed: each time while a probe may be under way."""

    async def main() -> None:
        async with CASES[kind].lasting(certificates) as given, a_bench() as bench:
            check = again(given)
            final = checkers()[kind].constant
            await bench.begin(check)
            await asyncio.sleep(MIDDLE_S)
            count = len(bench.reports)
            bench.kill_worker()
            await bench.until(lambda: bench.supervisor.losses.get(LossCause.DIED) == 1)
            assert final or bench.reports[count:][0].result == LOST
            assert final or await seen(bench, count, check.id)

            changed = replace(check, id=CheckId(f"{check.id}-changed"))
            count = len(bench.reports)
            bench.supervisor.configure([changed])
            assert await seen(bench, count, changed.id)
            assert not bench.results_since(count + 1, check.id)

            bench.supervisor.configure([])
            await bench.until(lambda: bench.supervisor.load.in_flight == 0)
            assert bench.supervisor.load.commands == 0 or await ended(bench)

    run(main())


LOST = Errored(ErrorReason.LATE, "the process that runs this check was replaced")


async def seen(bench: Bench, count: int, of: CheckId) -> bool:
    """Wait until a check has a result that says something about its server."""
    await bench.until(lambda: bench.results_since(count, of))
    return all(isinstance(report.result, Passed | Failed) for report in bench.results_since(count, of))


async def ended(bench: Bench) -> bool:
    """Wait until no program runs any more."""
    await bench.until(lambda: bench.supervisor.load.commands == 0)
    return True
