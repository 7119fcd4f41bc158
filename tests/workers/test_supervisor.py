"""The supervisor with real workers, over changes of its configuration."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

from lvs_agent.model.check import CheckId, CheckSpec, Errored, Passed
from lvs_agent.model.workers import WorkerState
from tests.checks.servers import run, spec
from tests.process.family import worker_of
from tests.workers.bench import Bench, a_bench


def none(name: str) -> CheckSpec:
    """A check that is settled by its first result."""
    return replace(spec("none"), id=CheckId(name))


def reported(bench: Bench, count: int) -> list[CheckId]:
    """The checks with results after the first ``count``."""
    return [report.check for report in bench.reports[count:] if isinstance(report.result, Passed)]


def test_settled_check_that_comes_back_is_reported_again() -> None:
    """Whether it is settled belongs to the configuration in force, not to the worker's memory."""

    async def main() -> None:
        async with a_bench() as bench:
            for _ in range(2):
                count = len(bench.reports)
                bench.supervisor.configure([none("one"), none("two")])
                await bench.until(lambda: set(reported(bench, count)) == {"one", "two"})  # noqa: B023 - at once
                count = len(bench.reports)
                bench.supervisor.configure([none("two"), none("three")])
                await bench.until(lambda: set(reported(bench, count)) == {"three"})  # noqa: B023 - at once
                bench.supervisor.configure([])

    run(main())


def test_settled_check_is_not_given_to_the_next_worker() -> None:
    """Its result is known."""

    async def main() -> None:
        async with a_bench() as bench:
            bench.supervisor.configure([none("one")])
            await bench.until(lambda: reported(bench, 0) == ["one"])
            bench.kill_worker()
            await bench.until(lambda: sum(bench.supervisor.losses.values()) == 1)
            bench.supervisor.configure([none("one"), none("two")])
            await bench.until(lambda: "two" in reported(bench, 0))

            assert reported(bench, 0) == ["one", "two"]

    run(main())


def test_worker_that_may_not_import_is_replaced_for_a_new_kind() -> None:
    """Without a loss: the checks that it had go on, and kinds that it had before need no other one."""

    async def main() -> None:
        async with a_bench() as bench:
            bench.starter.workers_may_import = False
            often = [replace(spec("file", interval_s=0.05, path="/etc/hosts"), id=CheckId(name)) for name in "ab"]
            workers = []
            for checks in (often[:1], [*often, none("one")], often[1:]):
                bench.supervisor.configure(checks)
                count, wanted = len(bench.reports), {check.id for check in checks}
                await bench.until(lambda: {one.check for one in bench.reports[count:]} >= wanted)  # noqa: B023 - at once
                workers.append(worker_of(os.getpid()))

            assert len(set(workers[:2])) == 2
            assert workers[1] == workers[2]
            assert not bench.supervisor.losses
            assert not [report for report in bench.reports if isinstance(report.result, Errored)]

    run(main())


def test_checks_move_when_there_are_more_or_fewer_workers() -> None:
    """Each is run by one of them, before and after."""

    async def main() -> None:
        async with a_bench(count=3) as bench:
            checks = [replace(spec("ping", interval_s=0.2), id=CheckId(f"check {number}")) for number in range(9)]
            for workers in (3, 1, 2):
                bench.supervisor.count = workers
                bench.supervisor.configure(checks)
                await bench.until(lambda: bench.supervisor.states == {WorkerState.RUNNING: workers})  # noqa: B023 - at once
                await asyncio.sleep(0.1)
                count = len(bench.reports)
                await bench.until(lambda: len(set(reported(bench, count))) == len(checks))  # noqa: B023 - at once

    run(main())
