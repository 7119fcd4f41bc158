"""Checks are data: what has run leaves no trace in them, and they run in any process."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from lvs_agent.checks.kinds import checkers
from lvs_agent.model.check import CheckSpec, Errored, ErrorReason
from tests.checks.cases import all_cases
from tests.checks.conftest import Certificates
from tests.checks.first_probe import FirstProbes
from tests.checks.servers import engine_running, run

KINDS = sorted(checkers())


@pytest.mark.parametrize("kind", KINDS)
def test_check_is_the_same_before_while_and_after_it_runs(kind: str, certificates: Certificates) -> None:
    """Whatever a probe does, its check is pickled to the same bytes, and what comes back is equal to it."""
    case = all_cases()[kind]

    async def main() -> tuple[CheckSpec, set[bytes]]:
        async with (case.healthy or case.lasting)(certificates) as check, engine_running() as (engine, reports):
            seen = {pickle.dumps(check)}
            engine.configure([check])
            async with asyncio.timeout(20):
                while reports.empty():
                    await asyncio.sleep(0)
                    seen.add(pickle.dumps(check))
            seen.add(pickle.dumps(check))
        return check, seen | {pickle.dumps(check)}

    check, seen = run(main())

    assert len(seen) == 1
    assert pickle.loads(seen.pop()) == check


@pytest.mark.parametrize("kind", KINDS)
def test_check_runs_in_another_process(kind: str, certificates: Certificates, first_probes: FirstProbes) -> None:
    """It is sent there, runs, and is still equal to the one that was sent."""
    case = all_cases()[kind]

    async def main() -> None:
        async with (case.healthy or case.lasting)(certificates) as check:
            done = await asyncio.to_thread(first_probes.of, check)

        assert done.check == check
        assert not (isinstance(done.result, Errored) and done.result.reason is ErrorReason.INTERNAL), done.result

    run(main())
