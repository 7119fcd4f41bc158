from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lvs_agent.clock import ManualClock
from lvs_agent.config import Config, load_config
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.control.journal import Journal
from lvs_agent.control.memory import Memory
from lvs_agent.control.reloading import Reloading, first_status
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.state import AgentState
from lvs_agent.core.snapshot import ConfigStatus
from lvs_agent.errors import ConfigError
from lvs_agent.files import stamp_of
from lvs_agent.model.event import EventKind, EventQuery

ONE = '[[virtual_service]]\naddress = "192.0.2.1"\nport = 80\n'
TWO = ONE + '[[virtual_service]]\naddress = "192.0.2.1"\nport = 81\n'

PATIENCE_S = 20.0


class Bench:
    """A configuration file with what reloads it."""

    def __init__(self, directory: Path, *, text: str = ONE) -> None:
        self.path = directory / "config.toml"
        self.path.write_text(text)
        config = load_config(self.path)
        clock = ManualClock()
        self.adopted: list[Config] = []
        self.state = AgentState(
            clock=clock,
            writes=True,
            intent=config.intent,
            config=first_status(config, path=self.path, clock=clock),
            memory=Memory(),
        )
        self.journal = Journal(clock=clock)
        self.reloading = Reloading(
            path=self.path,
            load=load_config,
            adopt=self._adopt,
            state=self.state,
            reporter=Reporter(self.journal),
            clock=clock,
            look_s=0.02,
            read_s=5.0,
        )

    def _adopt(self, config: Config, status: ConfigStatus) -> None:
        self.state.configuration_adopted(self.state.prepare(config.intent, status))
        self.adopted.append(config)

    async def watch(self, *steps: Callable[[], object]) -> None:
        """Run the loop, take each step and give the loop time to notice it; a changed file is read in any case."""
        task = asyncio.create_task(self.reloading.run())
        for step in steps:
            await asyncio.sleep(0.05)
            step()
            await asyncio.sleep(0.15)
            async with asyncio.timeout(PATIENCE_S):
                while self.reloading.watches and stamp_of(self.path) not in {None, self.reloading._read}:  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    def replace(self, text: str) -> None:
        """Write the file as editors do: beside it, then renamed."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A file with one virtual service."""
    return Bench(tmp_path)


def test_replaced_file_is_taken_in(bench: Bench) -> None:
    """A file that an editor renamed into place is in force without a signal."""
    asyncio.run(bench.watch(lambda: bench.replace(TWO)))

    assert [len(config.intent.services) for config in bench.adopted] == [2]
    assert (bench.state.config.reloads, bench.state.config.last_reload_successful) == (1, True)


def test_changed_file_waits_for_a_request_where_nobody_watches_it(bench: Bench) -> None:
    """An operator who decides when a new configuration counts sends a signal."""
    bench.reloading.watches = False
    waiting: list[int] = []

    def ask() -> None:
        waiting.append(bench.state.config.reloads)
        bench.reloading.request(cause="sighup")

    asyncio.run(bench.watch(lambda: bench.replace(TWO), ask))

    assert (waiting, bench.state.config.reloads) == ([0], 1)
    assert [len(config.intent.services) for config in bench.adopted] == [2]


def test_untouched_file_is_never_read_again(bench: Bench) -> None:
    """Without a change or a request nothing is reloaded."""
    asyncio.run(bench.watch(lambda: None))

    assert (bench.state.config.reloads, bench.state.config.reload_failures) == (0, 0)


def test_file_of_the_same_meaning_changes_nothing(bench: Bench) -> None:
    """A comment more is a reload, and nobody is bothered with it."""
    asyncio.run(bench.watch(lambda: bench.replace(f"# a comment\n{ONE}")))

    assert (bench.adopted, bench.state.config.reloads) == ([], 1)


def test_broken_file_leaves_the_old_configuration_in_force_and_says_why(bench: Bench) -> None:
    """Every problem is logged and shown; a good file later clears them."""
    seen: list[ConfigStatus] = []

    def repair() -> None:
        seen.append(bench.state.config)
        bench.replace(TWO)

    with capture_logs() as lines:
        asyncio.run(bench.watch(lambda: bench.replace(ONE.replace("port", "prot")), repair))
    (refused,) = seen

    assert [line["event"] for line in lines][:2] == ["configuration_problem", "configuration_refused"]
    assert (refused.last_reload_successful, refused.reload_failures) == (False, 1)
    assert any("did you mean" in problem for problem in refused.problems)
    assert [len(config.intent.services) for config in bench.adopted] == [2]
    assert (bench.state.config.last_reload_successful, bench.state.config.problems) == (True, ())


def test_file_that_vanishes_for_a_moment_is_not_a_change(bench: Bench) -> None:
    """An editor that moves the old file away first does not cause an error."""
    asyncio.run(bench.watch(bench.path.unlink, lambda: bench.path.write_text(TWO)))

    assert (len(bench.adopted), bench.state.config.reload_failures) == (1, 0)


def test_file_that_is_still_being_written_is_waited_for(bench: Bench) -> None:
    """Only a file that stood still between two looks is read."""

    async def scribble() -> None:
        task = asyncio.create_task(bench.reloading.run())
        for number in range(12):
            bench.path.write_text(ONE + f"# {number}" * number)
            os.utime(bench.path, ns=(number, number))
            await asyncio.sleep(0.015)
        while_writing = bench.state.config.reloads
        bench.path.write_text(TWO)
        await asyncio.sleep(0.15)
        task.cancel()
        await asyncio.wait([task])
        assert while_writing <= 2  # a pause of the machine may look like standing still
        assert len(bench.adopted) == 1

    asyncio.run(scribble())


def test_request_reloads_even_an_unchanged_file(bench: Bench) -> None:
    """SIGHUP reads the file whatever its times say, and requests that pile up are one reload or two."""

    def advance() -> None:
        for _ in range(10):
            bench.reloading.request(cause="sighup")

    asyncio.run(bench.watch(advance, advance))

    assert bench.state.config.reloads == 2


def test_only_configuration_errors_are_refusals(bench: Bench, tmp_path: Path) -> None:
    """A directory in the file's place is a problem of the configuration too."""
    bench.path.unlink()
    bench.path.mkdir()

    assert asyncio.run(bench.reloading.reload(cause="sighup")) is False
    with pytest.raises(ConfigError):
        load_config(tmp_path)


def test_file_that_cannot_be_read_to_its_end_is_refused_and_the_next_one_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe without a writer holds up neither the loop nor a later reload, nor the end of the process."""
    monkeypatch.setattr(bench.reloading, "_read_s", 0.1)
    bench.path.unlink()
    os.mkfifo(bench.path)

    async def scenario() -> list[bool]:
        refused = await bench.reloading.reload(cause="sighup")
        pipe = bench.path.rename(bench.path.with_suffix(".pipe"))
        monkeypatch.setattr(bench.reloading, "_read_s", 5.0)
        bench.path.write_text(TWO)
        read = await bench.reloading.reload(cause="sighup")
        pipe.open("wb").close()  # lets the thread end
        return [refused, read]

    assert asyncio.run(scenario()) == [False, True]
    assert [len(config.intent.services) for config in bench.adopted] == [2]


def test_file_with_very_many_problems_is_logged_in_part(bench: Bench) -> None:
    """Each of them is in the status; writing every line would hold up the checks."""
    bench.path.write_text(ONE + "".join(f"wrong_{number} = 1\n" for number in range(300)))
    with capture_logs() as lines:
        asyncio.run(bench.reloading.reload(cause="sighup"))

    assert [line["event"] for line in lines].count("configuration_problem") == 100
    assert lines[-1]["problems"] == len(bench.state.config.problems) == 300


@pytest.mark.parametrize("part", ["load", "adopt"])
def test_what_nobody_foresaw_is_a_refusal_and_the_old_configuration_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Any exception while a file is read or put in force is logged with a traceback, and the loop goes on."""

    def fail(*_: object) -> Config:
        raise OverflowError("the repetition number is too large")

    def load(path: Path) -> Config:
        with unexpected_is_refused(path):
            return fail() if part == "load" else load_config(path)

    bench.replace(TWO)
    before = bench.state.intent
    monkeypatch.setattr(bench.reloading, "_load", load)
    if part == "adopt":
        monkeypatch.setattr(bench.reloading, "_adopt", fail)
    with capture_logs() as lines:
        accepted = asyncio.run(bench.reloading.reload(cause="sighup"))

    assert not accepted
    assert bench.state.intent is before
    assert (bench.state.config.last_reload_successful, bench.state.config.reload_failures) == (False, 1)
    assert "internal error: OverflowError" in bench.state.config.problems[0]
    assert [line["event"] for line in lines] == [
        "configuration_internal_error",
        "configuration_problem",
        "configuration_refused",
    ]
    assert isinstance(lines[0]["exc_info"], OverflowError)


def test_reloads_and_refusals_are_events(bench: Bench) -> None:
    """The journal has why it was loaded again, whether that changed anything, and the first of the problems."""

    async def scenario() -> None:
        await bench.reloading.reload(cause="sighup")
        bench.replace(ONE.replace("port", "prot"))
        await bench.reloading.reload(cause="file_changed")
        bench.replace(TWO)
        await bench.reloading.reload(cause="file_changed")

    asyncio.run(scenario())
    unchanged, refused, changed = bench.journal.select(EventQuery())

    assert (unchanged.kind, unchanged.facts) == (
        EventKind.CONFIGURATION_RELOADED,
        {"cause": "sighup", "changed": False},
    )
    assert (refused.kind, refused.facts["cause"], refused.facts["problems"]) == (
        EventKind.CONFIGURATION_REFUSED,
        "file_changed",
        1,
    )
    assert "unknown key 'prot'" in str(refused.facts["problem"])
    assert (changed.kind, changed.facts["changed"]) == (EventKind.CONFIGURATION_RELOADED, True)
