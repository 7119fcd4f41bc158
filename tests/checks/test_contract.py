"""What every checker owes the engine, tried on each one that is discovered."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from dataclasses import replace

import pytest

from lvs_agent.checks.kinds import checkers
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.config.jsonschema import json_schema
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks.cases import TIMEOUT_S, TOLERANCE_S, all_cases
from tests.checks.conftest import Certificates
from tests.checks.servers import children, descriptors, engine_running, run, threads, until

CASES = all_cases()
HOSTILE = [(kind, name) for kind, case in CASES.items() for name in case.hostile]
KINDS = sorted(checkers())
ATTEMPTS = 5


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

    A machine with other things to do may make one probe late, or even a few, but not all.
    """

    async def main() -> None:
        resources = ProbeResources()
        async with CASES[kind].hostile[name](certificates) as check, engine_running(resources) as (engine, reports):
            await warmed_up(check, resources)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for number in range(ATTEMPTS):
                engine.configure([replace(check, id=CheckId(f"{number}"))])
                report = await asyncio.wait_for(reports.get(), 20)
                if in_time(report):
                    break
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

        assert in_time(report), report
        assert isinstance(report.result, Failed), report
        assert report.result.reason in FailureReason
        assert grown < 30_000, "KiB more at the peak"
        assert "\n" not in report.result.detail

    run(main())


def in_time(report: CheckReport) -> bool:
    """Whether the probe had all its time, and no more."""
    late = isinstance(report.result, Errored) and report.result.reason is ErrorReason.LATE
    return not late and report.duration_s <= TIMEOUT_S + TOLERANCE_S


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
    for name, key in json_schema()["$defs"][f"check_{kind}"]["properties"].items():
        assert key.get("description"), name


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
    await asyncio.sleep(0.05)
