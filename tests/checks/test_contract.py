"""What every checker owes the engine, tried on each one that is discovered."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from statistics import median
from typing import Any

import pytest

from lvs_agent.checks.engine.engine import LATE_S
from lvs_agent.checks.engine.schedule import FIRST_SPREAD_S
from lvs_agent.checks.kinds import checkers
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.config.jsonschema import json_schema
from lvs_agent.model.check import CheckSpec, Failed, FailureReason, Passed
from tests.checks.cases import TIMEOUT_S, TOLERANCE_S, all_cases
from tests.checks.conftest import Certificates
from tests.checks.servers import children, descriptors, engine_by_hand, engine_running, run, threads, until

CASES = all_cases()
HOSTILE = [(kind, name) for kind, case in CASES.items() for name in case.hostile]
KINDS = sorted(checkers())


def test_every_checker_is_tried_here() -> None:
    """A checker that nobody put to the test would not show."""
    assert sorted(CASES) == KINDS


@pytest.mark.parametrize("kind", [kind for kind in KINDS if CASES[kind].healthy is not None])
def test_healthy_server_passes(kind: str, certificates: Certificates) -> None:
    """A server that does what is asked passes."""
    healthy = CASES[kind].healthy
    assert healthy is not None

    async def main() -> None:
        resources = ProbeResources()
        async with healthy(certificates) as check, engine_running(resources) as (engine, reports):
            await warmed_up(check, resources)
            engine.configure([check])

            assert isinstance((await asyncio.wait_for(reports.get(), 20)).result, Passed)

    run(main())


@pytest.mark.parametrize(("kind", "name"), HOSTILE)
def test_hostile_server_fails_by_the_deadline(kind: str, name: str, certificates: Certificates) -> None:
    """Whatever a server does, there is a failure with a reason by the deadline, in bounded memory.

    Until then the loop goes round, so that the deadline is noticed when it comes.  A machine with other things to do
    makes the rounds late, and does not make them longer by the time that they have the processor.
    """

    async def main() -> None:
        resources = ProbeResources()
        hostile = CASES[kind].hostile[name](certificates)
        async with hostile as check, engine_by_hand(resources) as (engine, clock, reports):
            await warmed_up(check, resources)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            engine.configure([check])
            clock.advance(FIRST_SPREAD_S)
            engine.tick()
            rounds_s = await rounds(lambda: reports, within_s=TIMEOUT_S)
            clock.advance(TIMEOUT_S)
            engine.tick()
            await asyncio.sleep(0)  # a failure is handed over in the loop's next turn
            (report,) = reports
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

        assert isinstance(report.result, Failed), report
        assert report.result.reason in FailureReason
        assert report.duration_s <= TIMEOUT_S
        assert max(rounds_s) <= LATE_S, "longer, and the engine would take the blame"
        assert median(rounds_s) <= TOLERANCE_S or report.duration_s < TIMEOUT_S
        assert grown < 30_000, "KiB more at the peak"
        assert "\n" not in report.result.detail

    run(main())


async def rounds(ended: Callable[[], object], *, within_s: float) -> list[float]:
    """The processor time that each round of the loop takes, until the end or ``within_s``."""
    end = time.monotonic() + within_s
    found: list[float] = []
    before = time.thread_time()
    while not found or (time.monotonic() < end and not ended()):
        await asyncio.sleep(0.002)
        now = time.thread_time()
        found.append(now - before)
        before = now
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_cancelled_probe_leaves_nothing(kind: str, certificates: Certificates) -> None:
    """A probe that is cancelled gives back its sockets, threads and processes, at whatever moment it happens."""

    async def main() -> None:
        case = CASES[kind]
        async with case.lasting(certificates) as check, ProbeResources() as resources:
            await warmed_up(check, resources)
            before = holdings()
            for moment in (0.0, 0.005, 0.02, 0.05):
                given = ProbeRun(resources)
                probe = asyncio.ensure_future(checkers()[kind].probe(check.target, given))
                await asyncio.sleep(moment)
                probe.cancel()
                await asyncio.wait({probe})
                given.release()
            with suppress(TimeoutError):
                await until(lambda: holdings() == before, within_s=2)

            assert holdings() == before

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_engine_leaves_nothing(kind: str, certificates: Certificates) -> None:
    """The end of the engine is the end of all that its probes held, running ones included."""

    async def main() -> None:
        case = CASES[kind]
        async with case.lasting(certificates) as check:
            async with engine_running() as (engine, _):  # what the loop itself opens once, it keeps
                engine.configure([check])
                await asyncio.sleep(0.15)
            before = holdings()
            async with engine_running() as (engine, _):
                engine.configure([check])
                await asyncio.sleep(0.15)
            with suppress(TimeoutError):
                await until(lambda: holdings() == before, within_s=2)

            assert holdings() == before

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_described(kind: str) -> None:
    """Every key explains itself in the JSON Schema, and the checker in one line."""
    checker = checkers()[kind]

    assert checker.summary
    for name, key in schema()["$defs"][f"check_{kind}"]["properties"].items():
        assert key.get("description"), name


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema, made once."""
    return json_schema()


def holdings() -> tuple[int, int, int]:
    """Descriptors, threads and processes that are there."""
    return descriptors(), threads(), len(children())


async def warmed_up(check: CheckSpec, resources: ProbeResources) -> None:
    """Have everything made that probes share, so that only the probe itself is counted and timed."""
    given = ProbeRun(resources)
    probe = asyncio.ensure_future(checkers()[check.kind].probe(check.target, given))
    await asyncio.wait({probe}, timeout=0.15)
    probe.cancel()
    await asyncio.wait({probe})
    given.release()
    await until(lambda: not resources.commands.running)  # a program that was killed takes a moment to end
    await asyncio.sleep(0.05)
