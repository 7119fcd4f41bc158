from __future__ import annotations

import asyncio
import gc
import math
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from lvs_agent.checks.engine import schedule
from lvs_agent.checks.engine.engine import Engine, over_time
from lvs_agent.checks.engine.wheel import SLOT_S
from lvs_agent.checks.net.progress import Progress, Stage
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.clock import ManualClock, SystemClock
from lvs_agent.model.check import (
    CheckId,
    CheckReport,
    CheckSpec,
    Errored,
    ErrorReason,
    Failed,
    FailureReason,
    Load,
    Passed,
)
from tests.checks import servers
from tests.checks.servers import (
    KINDS,
    engine_by_hand,
    engine_running,
    ok,
    passed_with,
    run,
    serving,
    spec,
    until,
)


async def pass_time(engine: Engine, clock: ManualClock, seconds: float, *, step: float = SLOT_S) -> None:
    """Let ``seconds`` pass in steps, with a tick at each."""
    for _ in range(round(seconds / step)):
        clock.advance(step)
        engine.tick()
    await asyncio.sleep(0.02)  # the batch of results is handed over in real time


def times(reports: Sequence[CheckReport], clock: ManualClock) -> dict[CheckId, list[float]]:
    """When each check's probes were due, on the monotonic clock."""
    shift = clock.now() - clock.monotonic()
    found: dict[CheckId, list[float]] = defaultdict(list)
    for report in reports:
        found[report.check].append(report.ended_at - shift - report.delay_s)
    return found


def on_grid(check: CheckId, interval_s: float, *, after: float, until: float) -> int:
    """How often a check is due on its grid after a probe off it, which the grid keeps half an interval away from."""
    fraction = schedule.fraction_of(check)
    first = schedule.run_after_change(fraction=fraction, interval_s=interval_s, last=after, now=after)
    return math.floor((until - first) / interval_s) + 1


def test_every_due_time_is_hit_and_nothing_drifts() -> None:
    """Over a virtual hour each check runs at each time of its grid, in its slot."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, reports):
            engine.configure([spec("instant", name=f"check {number}", interval_s=10.0) for number in range(20)])
            await pass_time(engine, clock, 3_600, step=0.05)

            for check, due in times(reports, clock).items():
                fraction = schedule.fraction_of(check)
                grid = due[1:]
                assert len(grid) == on_grid(check, 10.0, after=due[0], until=clock.monotonic())
                assert all(abs(at / 10 - fraction - round(at / 10 - fraction)) < 1e-3 for at in grid)
                assert all(abs(later - earlier - 10) < 1e-3 for earlier, later in pairwise(grid))

    run(main())


def test_first_probes_come_soon_and_spread() -> None:
    """A thousand new checks start within a second, some in every tenth of it."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, reports):
            begin = clock.monotonic()
            engine.configure([spec("instant", name=f"check {number}", interval_s=60.0) for number in range(1_000)])
            await pass_time(engine, clock, 1.02)

            tenths = Counter(int((due[0] - begin) * 10) for due in times(reports, clock).values())
            assert sum(tenths.values()) == 1_000
            assert set(tenths) == set(range(10))
            assert max(report.delay_s for report in reports) <= 2 * SLOT_S + 1e-9

    run(main())


def test_reload_keeps_unchanged_checks_in_phase() -> None:
    """Configuring the same checks again, with others beside them, changes none of their times."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, reports):
            kept = [spec("instant", name=f"kept {number}", interval_s=1.0) for number in range(5)]
            engine.configure(kept)
            for round_ in range(20):
                await pass_time(engine, clock, 0.5)
                engine.configure([*kept, spec("instant", name=f"new {round_}", interval_s=1.0)])

            for check, due in times(reports, clock).items():
                if check.startswith("kept"):
                    assert len(due) == 1 + on_grid(check, 1.0, after=due[0], until=clock.monotonic())
                    assert all(abs(b - a - 1) < 1e-3 for a, b in pairwise(due[1:]))

    run(main())


def test_vanished_check_is_heard_of_no_more() -> None:
    """A check that left the configuration neither runs nor reports, even where a probe was under way."""

    async def main() -> None:
        async with serving(servers.silent) as port, engine_by_hand() as (engine, clock, reports):
            engine.configure([spec("http", port=port, timeout_s=0.2, interval_s=0.05)])
            await pass_time(engine, clock, 0.1)
            assert engine.load.in_flight == 1
            engine.configure([])

            assert engine.load.in_flight == 0
            await pass_time(engine, clock, 0.5)
            assert reports == []

    run(main())


def test_down_server_is_checked_at_its_own_interval() -> None:
    """While down the other interval holds, from the moment of set_down until it is up again."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, reports):
            engine.configure([replace(spec("instant", interval_s=10.0), down_interval_s=1.0)])
            await pass_time(engine, clock, 30)
            usual = len(reports)
            engine.set_down(CheckId("check"), down=True)
            await pass_time(engine, clock, 30)
            while_down = len(reports) - usual
            engine.set_down(CheckId("check"), down=False)
            await pass_time(engine, clock, 30)
            again = len(reports) - usual - while_down

            assert (usual, while_down, again) == (1 + 3, 30, 3)
            engine.set_down(CheckId("unknown"), down=True)

    run(main())


def test_result_that_speaks_against_the_state_is_looked_into_soon() -> None:
    """The fast interval holds from the first failure until the check has turned."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, reports):
            engine.configure([replace(spec("instant", interval_s=10.0, passes=False), fast_interval_s=1.0)])
            await pass_time(engine, clock, 30)
            doubted = len(reports)
            engine.set_down(CheckId("check"), down=True)
            await pass_time(engine, clock, 30)
            agreed = len(reports) - doubted

            assert (doubted, agreed) == (30, 3)

    run(main())


def test_due_time_is_left_out_while_the_probe_still_runs() -> None:
    """One check never has two probes, and the next free time of its grid is taken."""

    async def main() -> None:
        connections: asyncio.Queue[None] = asyncio.Queue()
        answer = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.put_nowait(None)
            await reader.readuntil(b"\r\n\r\n")
            await answer.wait()
            answer.clear()
            writer.write(servers.ok())

        async with serving(slow) as port, engine_by_hand() as (engine, clock, reports):
            engine.configure([spec("http", port=port, interval_s=0.1, timeout_s=1.0)])
            for _ in range(3):
                await pass_time(engine, clock, 0.25)
                assert engine.load.in_flight == 1
                await asyncio.wait_for(connections.get(), 5)
                assert connections.empty()
                answer.set()
                await until(lambda: not engine.load.in_flight)
            await pass_time(engine, clock, 0.2)

            assert [report.result for report in reports] == [passed_with(200)] * 3

    run(main())


def test_probe_that_used_up_its_whole_interval_is_followed_by_the_next_at_once() -> None:
    """Where time limit and interval are the same, a hanging server is asked each interval, not every other one."""

    async def main() -> None:
        async with serving(servers.silent) as port, engine_by_hand() as (engine, clock, reports):
            engine.configure([spec("http", port=port, interval_s=0.3, timeout_s=0.3)])
            await pass_time(engine, clock, 2.0)
            ended = [report.ended_at for report in reports]

            assert len(ended) >= 5
            assert all(later - earlier < 0.5 for earlier, later in pairwise(ended))

    run(main())


@pytest.mark.parametrize("handler", [servers.silent, servers.dripping])
def test_deadline_is_total(handler: servers.Handler) -> None:
    """One deadline from start to result: a byte now and then does not extend it."""

    async def main() -> None:
        async with serving(handler) as port, engine_by_hand() as (engine, clock, reports):
            check = spec("http", port=port, timeout_s=0.2)
            engine.configure([check])
            clock.advance(schedule.FIRST_SPREAD_S)
            engine.tick()
            (running,) = engine._checks.values()
            await until(lambda: running.run.progress.waiting_for == "response headers")
            for _ in range(9):
                clock.advance(SLOT_S)
                engine.tick()
                await asyncio.sleep(SLOT_S)  # a byte or two may come
                assert reports == []
            clock.advance(2 * SLOT_S)
            engine.tick()
            await asyncio.sleep(0)
            (report,) = reports

            assert report.result == Failed(
                FailureReason.READ_TIMEOUT, "no answer within 0.2 s: waiting for response headers"
            )
            assert 0.2 <= report.duration_s <= 0.25

    run(main())


def test_probes_that_hang_do_not_hold_up_others() -> None:
    """Two hundred silent servers beside one healthy: the healthy one's checks keep their time."""

    async def main() -> None:
        async with (
            serving(servers.silent) as dead,
            serving(servers.answering(servers.ok())) as well,
            engine_running() as (engine, reports),
        ):
            hanging = [
                spec("http", name=f"{number}", port=dead, interval_s=1.0, timeout_s=0.9) for number in range(200)
            ]
            engine.configure([*hanging, spec("http", name="well", port=well, interval_s=0.1)])
            seen = [await asyncio.wait_for(reports.get(), 2) for _ in range(150)]
            healthy = [report for report in seen if report.check == "well"]

            assert len(healthy) >= 5
            assert all(isinstance(report.result, Passed) and report.delay_s < 0.2 for report in healthy)

    run(main())


def test_answers_that_came_while_the_loop_hung_count() -> None:
    """A loop that hangs over the deadline still sees the answer that was there in time."""

    async def main() -> None:
        with servers.threaded(ok(), after_s=0.1) as port:
            async with engine_running() as (engine, reports):
                engine.configure([spec("http", port=port, timeout_s=0.3)])
                await until(lambda: engine.load.in_flight)
                await asyncio.sleep(0.01)
                time.sleep(0.4)  # noqa: ASYNC251 - the loop is to hang

                assert (await asyncio.wait_for(reports.get(), 2)).result == passed_with(200)

    run(main())


def test_expiry_noticed_late_is_our_own_fault() -> None:
    """Where the loop hung, a server without an answer is not called down."""

    async def main() -> None:
        async with serving(servers.silent) as port, engine_running() as (engine, reports):
            engine.configure([spec("http", port=port, timeout_s=0.1)])
            await until(lambda: engine.load.in_flight)
            time.sleep(0.5)  # noqa: ASYNC251 - the loop is to hang

            result = (await asyncio.wait_for(reports.get(), 2)).result
            assert isinstance(result, Errored)
            assert result.reason is ErrorReason.LATE

    run(main())


@pytest.mark.parametrize(
    ("stage", "late_s", "result"),
    [
        pytest.param(Stage.CONNECTING, 0.01, FailureReason.CONNECT_TIMEOUT, id="connecting"),
        pytest.param(Stage.CONNECTED, 0.01, FailureReason.READ_TIMEOUT, id="connected"),
        pytest.param(Stage.QUEUED, 0.01, ErrorReason.BUSY, id="queued"),
        pytest.param(Stage.CONNECTED, 0.3, ErrorReason.LATE, id="late"),
    ],
)
def test_running_out_of_time_means(stage: Stage, late_s: float, result: FailureReason | ErrorReason) -> None:
    """What a deadline says depends on how far the probe came, and on whether we were there."""
    progress = Progress()
    progress.stage = stage

    assert over_time(progress, timeout_s=1.0, late_s=late_s).reason is result


def test_bug_in_a_checker_is_an_error_of_its_own_checks() -> None:
    """An exception that nobody expects ends one probe with its name, and no other."""

    async def main() -> None:
        broken = spec("http", name="broken", port=1)
        broken = replace(broken, target=replace(broken.target, settings=None))
        async with engine_running() as (engine, reports):
            engine.configure([broken, spec("instant", name="well")])
            results = {report.check: report.result for report in [await reports.get(), await reports.get()]}

            assert isinstance(results[CheckId("well")], Passed)
            failed = results[CheckId("broken")]
            assert isinstance(failed, Errored)
            assert failed.reason is ErrorReason.INTERNAL
            assert failed.detail.startswith("AttributeError: ")

    run(main())


def test_probe_that_is_ended_before_it_ran_leaves_nothing_behind() -> None:
    """A task that never got to its first step has no coroutine that nobody awaits."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, _):
            engine.configure([spec("command", port=1, command=["/bin/true"], interval_s=0.1)])
            clock.advance(0.2)
            engine.tick()
            assert engine.load.in_flight == 1
            engine.configure([])

            assert engine.load.in_flight == 0

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(main())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_failing_report_ends_the_engine() -> None:
    """Who cannot take results must not go on unnoticed."""

    async def main() -> None:
        def report(_: Sequence[CheckReport]) -> None:
            raise LookupError("nowhere")

        engine = Engine(clock=SystemClock(), report=report, resources=ProbeResources(), kinds=KINDS)
        engine.configure([spec("instant", interval_s=0.1)])
        task = asyncio.get_running_loop().create_task(engine.run(), name="engine")

        with pytest.raises(LookupError, match="nowhere"):
            await asyncio.wait_for(task, 2)

    run(main())


def test_idle_engine_does_not_wake_the_process() -> None:
    """With nothing to do there is no timer; the first check sets one."""

    async def main() -> None:
        async with engine_by_hand() as (engine, _, _):
            idle = engine._timer
            engine.configure([spec("tcp", port=1)])

            assert idle is None
            assert engine._timer is not None

    run(main())


def test_load_tells_what_is_due() -> None:
    """Runs that are due and not started are pending."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, _):
            engine.configure([spec("instant", name=f"{number}") for number in range(10)])
            assert engine.load.pending == 0
            clock.advance(1.01)

            assert engine.load.pending == 10
            engine.tick()
            assert engine.load.pending == 0

    run(main())


def constant(result: str, *, fall: int = 1, name: str = "check") -> CheckSpec:
    """A check whose result the configuration says."""
    return replace(spec("none", name=name, interval_s=1.0, result=result), rise=3, fall=fall)


def is_idle(engine: Engine) -> bool:
    """Whether nothing runs, nothing is due at any time, and nothing waits to be reported."""
    return not (engine._checks or engine._starts.next_at() or engine._running or engine._results)


@pytest.mark.parametrize(("result", "fall", "reports_wanted"), [("up", 3, 1), ("down", 1, 1), ("down", 3, 3)])
def test_check_whose_result_cannot_change_runs_until_it_is_believed(
    result: str, fall: int, reports_wanted: int
) -> None:
    """A success is believed at once, a failure after ``fall`` of them; the last report says that none follows."""

    async def main() -> list[CheckReport]:
        async with engine_by_hand() as (engine, clock, reports):
            engine.configure([constant(result, fall=fall)])
            await pass_time(engine, clock, 5)
            assert is_idle(engine)
            found = list(reports)
            await pass_time(engine, clock, 3_600, step=1.0)
            assert reports == found
            assert is_idle(engine)
        return found

    found = run(main())
    assert [report.is_final for report in found] == [False] * (reports_wanted - 1) + [True]


def test_servers_without_checks_cost_nothing_once_they_are_settled() -> None:
    """Of ten thousand each is reported once, within the time of any first probe; then no timer is set."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, reports):
            engine.configure([constant("up", name=f"check {number}") for number in range(10_000)])
            await pass_time(engine, clock, schedule.FIRST_SPREAD_S + 2 * SLOT_S)
            engine.tick()

            assert Counter(report.check for report in reports) == {f"check {n}": 1 for n in range(10_000)}
            assert is_idle(engine)
            clock.advance(3_600)
            engine.tick()
            assert is_idle(engine)
            assert engine.load == Load(in_flight=0, pending=0)
            assert len(reports) == 10_000

    run(main())


def test_settled_check_is_reported_again_only_after_it_was_gone() -> None:
    """A reload that keeps it says nothing new; one that removes it and another that brings it back do."""

    async def main() -> list[int]:
        async with engine_by_hand() as (engine, clock, reports):
            seen = []
            check, other = constant("up"), constant("down", name="other")
            for configured in ([check], [check, other], [other], [check, other]):
                engine.configure(configured)
                await pass_time(engine, clock, 2)
                seen.append(len(reports))
        return seen

    assert run(main()) == [1, 2, 2, 3]


def test_settled_check_takes_no_other_interval() -> None:
    """What the state says of it afterwards changes nothing."""

    async def main() -> None:
        async with engine_by_hand() as (engine, clock, reports):
            engine.configure([constant("down")])
            await pass_time(engine, clock, 2)
            engine.set_down(CheckId("check"), down=True)
            await pass_time(engine, clock, 5)

            assert is_idle(engine)
            assert len(reports) == 1

    run(main())
