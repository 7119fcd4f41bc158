from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lvs_agent.clock import SystemClock
from lvs_agent.control.journal import Journal
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.sorry_commands import SorryCommands
from lvs_agent.core.sorry_command import SorryAction, SorryOutcome
from lvs_agent.model.event import EventKind, EventQuery
from lvs_agent.model.intent import SorryCommand
from lvs_agent.model.ipvs import ServiceKey
from tests.builders import fwmark_key, service_key
from tests.checks.servers import until

WEB, MAIL, MARK = service_key(), service_key(port=25), fwmark_key()
NAMES: dict[ServiceKey, str] = {WEB: "web", MAIL: "mail", MARK: "mark"}
START, STOP = SorryAction.START, SorryAction.STOP
OURSELVES = pwd.getpwuid(os.geteuid()).pw_name
"""The tests' own user, who may write into the tests' directories."""


class Bench:
    """Sorry commands whose program is a shell script that writes down what it is called with."""

    def __init__(self, directory: Path, *, started: frozenset[ServiceKey] = frozenset(), concurrency: int = 8) -> None:
        self.directory = directory
        self.remembered: list[frozenset[ServiceKey]] = []
        self.journal = Journal(clock=SystemClock())
        self.commands = SorryCommands(
            clock=SystemClock(),
            reporter=Reporter(self.journal),
            started=started,
            changed=self._remember,
            concurrency=concurrency,
        )

    def _remember(self) -> None:
        if self.remembered[-1:] != [self.commands.started]:
            self.remembered.append(self.commands.started)

    def command(self, script: str = "", *, timeout_s: float = 10.0) -> SorryCommand:
        """A program that notes its arguments, does ``script`` and notes that it has ended."""
        log = self.directory / "calls"
        whole = f'exec 3>>{log}; echo "$@" >&3; {script}\necho "end $1 $2" >&3'
        return SorryCommand(command=("/bin/sh", "-c", whole, "sh"), user=OURSELVES, timeout_s=timeout_s)

    def want(self, service: ServiceKey, *, active: bool, script: str = "", timeout_s: float = 10.0) -> None:
        """Want ``script`` to have been called last with start or stop."""
        command = self.command(script, timeout_s=timeout_s)
        self.commands.want(service, name=NAMES[service], command=command, active=active)

    @property
    def written(self) -> list[str]:
        """Everything that was noted."""
        path = self.directory / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def calls(self) -> list[str]:
        """The calls that were made."""
        return [line for line in self.written if not line.startswith("end ")]

    async def idle(self) -> None:
        """Wait until every call has ended."""
        own = asyncio.current_task()
        await until(lambda: not [t for t in asyncio.all_tasks() - {own} if t.get_name().startswith("sorry command of")])

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Everything given back at the end."""
        try:
            yield
            await self.idle()
        finally:
            await self.commands.finish((), timeout_s=0.0)


def test_start_and_stop_are_called_in_order_with_their_arguments(tmp_path: Path) -> None:
    """One call for each turn, with the action, the service and the protocol; none for what is so already."""
    bench = Bench(tmp_path)
    turns: list[tuple[ServiceKey, bool]] = [
        (WEB, False), (WEB, True), (WEB, True), (MARK, True), (WEB, False), (MARK, False)
    ]  # fmt: skip

    async def scenario() -> None:
        async with bench.at_work():
            for service, active in turns:
                bench.want(service, active=active)
                await bench.idle()

    asyncio.run(scenario())
    assert bench.calls == [
        "start 192.0.2.1:80 tcp",
        "start 10:0 fwm",
        "stop 192.0.2.1:80 tcp",
        "stop 10:0 fwm",
    ]
    assert bench.commands.counts == {
        (service, action, SorryOutcome.SUCCEEDED): 1 for service in (WEB, MARK) for action in (START, STOP)
    }
    assert [
        (event.kind, event.virtual_service, event.facts["action"], event.facts["outcome"])
        for event in bench.journal.select(EventQuery())
    ] == [
        (EventKind.SORRY_COMMAND, "web", "start", "succeeded"),
        (EventKind.SORRY_COMMAND, "mark", "start", "succeeded"),
        (EventKind.SORRY_COMMAND, "web", "stop", "succeeded"),
        (EventKind.SORRY_COMMAND, "mark", "stop", "succeeded"),
    ]


def test_calls_of_a_service_never_overlap_and_overtaken_wishes_are_left_out(tmp_path: Path) -> None:
    """While a call runs, only the last wish counts, and it waits for the end of the call."""
    bench = Bench(tmp_path)
    gate = tmp_path / "gate"

    async def scenario() -> None:
        async with bench.at_work():
            script = f"while ! [ -e {gate} ]; do sleep 0.01; done"
            bench.want(WEB, active=True, script=script)
            await until(lambda: bench.calls)
            for active in (False, True, False, True, False):
                bench.want(WEB, active=active, script=script)
            await asyncio.sleep(0.05)
            assert bench.written == ["start 192.0.2.1:80 tcp"]
            gate.touch()

    asyncio.run(scenario())
    assert bench.written == [
        "start 192.0.2.1:80 tcp",
        "end start 192.0.2.1:80",
        "stop 192.0.2.1:80 tcp",
        "end stop 192.0.2.1:80",
    ]


def test_turn_back_during_a_call_needs_no_further_call(tmp_path: Path) -> None:
    """Up and down again while ``start`` runs leaves it at that one call."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        async with bench.at_work():
            bench.want(WEB, active=True, script="sleep 0.1")
            await until(lambda: bench.calls)
            bench.want(WEB, active=False)
            bench.want(WEB, active=True)

    asyncio.run(scenario())
    assert bench.calls == ["start 192.0.2.1:80 tcp"]


def test_services_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Two commands that each wait for the other to have begun both come to an end."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        async with bench.at_work():
            for mine, other, service in (("a", "b", WEB), ("b", "a", MAIL)):
                script = f"touch {tmp_path / mine}; while ! [ -e {tmp_path / other} ]; do sleep 0.01; done"
                bench.want(service, active=True, script=script)

    asyncio.run(scenario())
    assert {outcome for _, _, outcome in bench.commands.counts} == {SorryOutcome.SUCCEEDED}


def test_time_limit_does_not_begin_before_the_command_runs(tmp_path: Path) -> None:
    """With one place for two commands, waiting for it is not counted against the second."""
    bench = Bench(tmp_path, concurrency=1)

    async def scenario() -> None:
        async with bench.at_work():
            for service in (WEB, MAIL):
                bench.want(service, active=True, script="sleep 1", timeout_s=1.8)

    asyncio.run(scenario())
    assert {outcome for _, _, outcome in bench.commands.counts} == {SorryOutcome.SUCCEEDED}


def test_command_that_hangs_is_killed_with_its_group_and_the_next_call_is_made(tmp_path: Path) -> None:
    """Its children die too, the failure is logged and counted, and stop is called as wanted."""
    bench = Bench(tmp_path)
    child = tmp_path / "child"

    async def scenario() -> None:
        async with bench.at_work():
            bench.want(WEB, active=True, script=f"sleep 60 & echo $! > {child}; wait", timeout_s=2.0)
            await bench.idle()
            await until(lambda: not Path(f"/proc/{child.read_text().strip()}/exe").exists())
            bench.want(WEB, active=False)

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert bench.written == ["start 192.0.2.1:80 tcp", "stop 192.0.2.1:80 tcp", "end stop 192.0.2.1:80"]
    assert [(line["event"], line["action"], line["outcome"]) for line in lines] == [
        ("sorry_command", START, SorryOutcome.TIMEOUT),
        ("sorry_command", STOP, SorryOutcome.SUCCEEDED),
    ]
    assert bench.commands.counts[WEB, START, SorryOutcome.TIMEOUT] == 1


@pytest.mark.parametrize(
    ("command", "outcome", "facts"),
    [
        pytest.param(
            ("/bin/sh", "-c", "echo; echo so sorry; echo more; exit 3"),
            SorryOutcome.EXIT_STATUS,
            {"exit_status": 3, "output": "so sorry", "command": "/bin/sh"},
            id="exit status",
        ),
        pytest.param(
            ("/bin/sh", "-c", "kill -9 $$"),
            SorryOutcome.SIGNAL,
            {"signal": "SIGKILL", "exit_status": None},
            id="signal",
        ),
        pytest.param(
            ("/bin/sh", "-c", "kill -40 $$"), SorryOutcome.SIGNAL, {"signal": "signal 40"}, id="signal without a name"
        ),
        pytest.param(
            ("/nonexistent/program",),
            SorryOutcome.NOT_STARTED,
            {"error": "No such file or directory", "command": "/nonexistent/program"},
            id="no program",
        ),
        pytest.param(("/bin/sh", "-c", "kill -9 $PPID"), SorryOutcome.LOST, {}, id="runner killed"),
    ],
)
def test_failure_is_logged_and_counted_by_what_it_was(
    command: tuple[str, ...], outcome: SorryOutcome, facts: dict[str, object]
) -> None:
    """The attempt counts as made: nothing is called again before the service turns."""
    commands = SorryCommands(
        clock=SystemClock(), reporter=Reporter(Journal(clock=SystemClock())), changed=lambda: None, user=OURSELVES
    )

    async def scenario() -> None:
        for _ in range(3):
            commands.want(WEB, name="web", command=SorryCommand(command=command), active=True)
            await until(lambda: commands.counts)
        await commands.finish((), timeout_s=5.0)

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert commands.counts == {(WEB, START, outcome): 1}
    assert commands.started == {WEB}
    (line,) = lines
    assert line["event"] == "sorry_command"
    assert line["virtual_service"] == "web"
    assert line["duration_s"] >= 0
    assert facts.items() <= line.items()


def test_what_is_started_is_remembered_before_the_call(tmp_path: Path) -> None:
    """A process that dies within the call leaves behind that it was made."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        async with bench.at_work():
            bench.want(WEB, active=True, script="sleep 0.1")
            await until(lambda: bench.calls)
            assert bench.remembered == [{WEB}]
            bench.want(WEB, active=False)

    asyncio.run(scenario())
    assert bench.remembered == [{WEB}, frozenset()]


def test_next_process_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """What was started before is not started again, and is stopped when a server is back."""
    bench = Bench(tmp_path, started=frozenset({WEB, MAIL}))

    async def scenario() -> None:
        async with bench.at_work():
            bench.want(WEB, active=True)
            bench.want(MAIL, active=False)

    asyncio.run(scenario())
    assert bench.calls == ["stop 192.0.2.1:25 tcp"]
    assert bench.commands.started == {WEB}


def test_service_that_leaves_the_configuration_has_its_command_stopped(tmp_path: Path) -> None:
    """Once, with the command as it was, also where start still runs; where nothing was started, nothing is called."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        async with bench.at_work():
            bench.want(WEB, active=True)
            bench.want(MAIL, active=False)
            bench.want(MARK, active=True)
            await until(lambda: len(bench.calls) == 2)
            for _ in range(2):
                bench.commands.retain({MARK})
            await bench.idle()
            bench.commands.retain({MARK})

    asyncio.run(scenario())
    assert [call for call in bench.calls if "192.0.2.1" in call] == ["start 192.0.2.1:80 tcp", "stop 192.0.2.1:80 tcp"]
    assert bench.commands.started == {MARK}


def test_service_that_comes_back_before_its_stop_is_kept(tmp_path: Path) -> None:
    """A service that leaves and returns while ``start`` runs goes on as if it had never left."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        async with bench.at_work():
            bench.want(WEB, active=True, script="sleep 0.1")
            await until(lambda: bench.calls)
            bench.commands.retain({MAIL})
            bench.want(WEB, active=True)
            await bench.idle()
            bench.want(WEB, active=False)

    asyncio.run(scenario())
    assert bench.calls == ["start 192.0.2.1:80 tcp", "stop 192.0.2.1:80 tcp"]


def test_command_that_nobody_knows_any_more_is_said(tmp_path: Path) -> None:
    """What an earlier process started for a service that is no longer configured is the operator's to stop."""
    bench = Bench(tmp_path, started=frozenset({WEB, MAIL}))

    async def scenario() -> None:
        async with bench.at_work():
            bench.commands.retain({MAIL})
            await bench.commands.finish({MAIL}, timeout_s=1.0)

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert [(line["event"], line["virtual_service"]) for line in lines] == [
        ("sorry_command_unknown", WEB),
        ("sorry_command_unknown", MAIL),
    ]
    assert bench.commands.started == {MAIL}


def test_shutdown_stops_what_was_started_for_services_that_go(tmp_path: Path) -> None:
    """Stop is called for a service that leaves the table, and not for one that stays; later wishes are ignored."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        for service in (WEB, MAIL):
            bench.want(service, active=True)
        bench.want(MARK, active=False)
        await bench.idle()
        await bench.commands.finish({WEB, MARK}, timeout_s=5.0)
        bench.want(MAIL, active=False)
        await bench.idle()

    asyncio.run(scenario())
    assert sorted(bench.calls[:2]) == ["start 192.0.2.1:25 tcp", "start 192.0.2.1:80 tcp"]
    assert bench.calls[2:] == ["stop 192.0.2.1:80 tcp"]
    assert bench.commands.started == {MAIL}


def test_shutdown_lets_a_call_end_and_then_stops(tmp_path: Path) -> None:
    """A start under way is finished before its stop; for a service that stays nothing more is called."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        for service in (WEB, MAIL):
            bench.want(service, active=True, script="sleep 0.1")
        await until(lambda: len(bench.calls) == 2)
        bench.want(MAIL, active=False)
        await bench.commands.finish({WEB}, timeout_s=5.0)

    asyncio.run(scenario())
    assert [line for line in bench.written if ":80" in line] == [
        "start 192.0.2.1:80 tcp",
        "end start 192.0.2.1:80",
        "stop 192.0.2.1:80 tcp",
        "end stop 192.0.2.1:80",
    ]
    assert [line for line in bench.written if ":25" in line] == ["start 192.0.2.1:25 tcp", "end start 192.0.2.1:25"]


def test_shutdown_waits_no_longer_than_its_limit(tmp_path: Path) -> None:
    """A command that hangs is killed and named in the log."""
    bench = Bench(tmp_path)
    child = tmp_path / "child"

    async def scenario() -> None:
        bench.want(WEB, active=True, script=f"echo $$ > {child}; sleep 60")
        await until(lambda: child.exists() and child.read_text())
        await bench.commands.finish({WEB}, timeout_s=0.05)

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert [(line["event"], line["virtual_service"]) for line in lines] == [("sorry_command_cut_short", "web")]
    assert not Path(f"/proc/{child.read_text().strip()}/exe").exists()


def test_command_sees_no_more_of_the_environment_than_path_and_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the agent was given (credentials, for one) is not handed on."""
    monkeypatch.setenv("SECRET_TOKEN", "12345")
    bench = Bench(tmp_path)

    async def scenario() -> None:
        async with bench.at_work():
            bench.want(WEB, active=True, script=f"env > {tmp_path / 'env'}")

    asyncio.run(scenario())
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LANG"}
