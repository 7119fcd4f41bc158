from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lvs_agent.checks.kinds.command import Settings
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.commands.command_runner import Command, CommandRunner, RunnerLost
from lvs_agent.model.check import CheckReport, CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from lvs_agent.model.ipvs import AddressKey, Family, FwmarkKey, Protocol
from tests.checks.servers import children, engine_running, result_of, run, spec, until


def ran(*command: str, timeout_s: float = 5.0, **settings: Any) -> CheckResult:
    """The result of running a command as a check."""
    return run(result_of(spec("command", port=8080, timeout_s=timeout_s, command=list(command), **settings)))


def shell(script: str, **settings: Any) -> CheckResult:
    """The result of a shell script."""
    return ran("/bin/sh", "-c", script, **settings)


@pytest.mark.parametrize(
    ("script", "result"),
    [
        pytest.param("echo; echo ' fine '; echo more", Passed("fine"), id="first line with text"),
        pytest.param("exit 2", Failed(FailureReason.EXEC, "exit status 2"), id="status"),
        pytest.param("echo no >&2; exit 3", Failed(FailureReason.EXEC, "exit status 3: no"), id="standard error"),
        pytest.param("kill -TERM $$; sleep 9", Failed(FailureReason.EXEC, "killed by SIGTERM"), id="signal"),
        pytest.param("kill -40 $$; sleep 9", Failed(FailureReason.EXEC, "killed by signal 40"), id="nameless signal"),
        pytest.param("printf 'a\\033[31mb\\377'", Passed("a?[31mb\ufffd"), id="nothing unprintable"),
        pytest.param('read line; echo "<$line>"', Passed("<>"), id="no standard input"),
        pytest.param("head -c 1000000 /dev/zero | tr '\\0' x", Passed("x" * 200), id="long output"),
    ],
)
def test_end_of_a_program_is_the_result(script: str, result: CheckResult) -> None:
    """The status decides, and the first line tells."""
    assert shell(script) == result


def test_missing_program_is_our_own_fault(tmp_path: Path) -> None:
    """A program that cannot be started says nothing about the server."""
    plain = tmp_path / "plain"
    plain.write_text("x")

    for path in ("/nonexistent/check", str(plain)):
        result = ran(path)
        assert isinstance(result, Errored)
        assert result.reason is ErrorReason.FILE_MISSING
        assert path in result.detail


def test_unknown_user_is_our_own_fault() -> None:
    """A user that does not exist says nothing about the server."""
    assert ran("/bin/true", user="no-such-user") == Errored(
        ErrorReason.NOT_PERMITTED, "/bin/true: no such user: no-such-user"
    )


OF_THE_C_LIBRARY = 0b11 << 31
"""Signals 32 and 33, which no program can change."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_program_of_root_runs_as_nobody() -> None:
    """Least privilege: user, groups, no new privileges, no core files."""
    assert shell("echo $(id -un) $(id -G | wc -w)") == Passed("nobody 1")
    assert shell("grep NoNewPrivs /proc/self/status | tr '\\t' ' '") == Passed("NoNewPrivs: 1")
    assert shell("ulimit -c") == Passed("0")
    ignored = shell("grep SigIgn /proc/self/status | cut -f 2")
    assert isinstance(ignored, Passed)
    assert not int(ignored.detail, 16) & ~OF_THE_C_LIBRARY


def test_program_sees_a_small_environment_and_no_descriptors() -> None:
    """Nothing of ours leaks: no variables, no sockets."""
    os.environ["LVS_AGENT_TEST_SECRET"] = "hidden"
    try:
        environment = shell("env | cut -d= -f1 | sort | grep -v -e PWD -e _ -e SHLVL | tr '\\n' ' '")
    finally:
        del os.environ["LVS_AGENT_TEST_SECRET"]

    assert environment == Passed("LANG PATH")
    assert ran("/bin/ls", "/proc/self/fd") == Passed("0")
    above_two = "n=3; while [ $n -lt 99 ]; do [ -e /proc/$$/fd/$n ] && echo $n; n=$((n+1)); done"
    assert shell(f"{above_two}; echo none") == Passed("none")


@pytest.mark.parametrize(
    ("service", "words"),
    [
        pytest.param(
            AddressKey(Protocol.TCP, ip_address("192.0.2.1"), 80), "127.0.0.1 8080 192.0.2.1 80", id="address"
        ),
        pytest.param(FwmarkKey(7, Family.INET), "127.0.0.1 8080 7", id="mark"),
        pytest.param(None, "127.0.0.1 8080", id="none"),
    ],
)
def test_placeholders_are_filled(service: AddressKey | FwmarkKey | None, words: str) -> None:
    """Server and service go into the arguments."""
    check = spec(
        "command", port=8080, timeout_s=5.0,
        command=["/bin/echo", "{address}", "{port}", "{virtual_address}", "{virtual_port}"],
    )  # fmt: skip
    check = replace(check, target=replace(check.target, service=service))

    assert run(result_of(check)) == Passed(words)


def test_placeholders_are_filled_in_the_environment() -> None:
    """Variables take them too."""
    environment = {"WHERE": "[{address}]:{port}"}

    assert ran("/usr/bin/printenv", "WHERE", environment=environment) == Passed("[127.0.0.1]:8080")


def test_whole_group_is_killed_at_the_deadline() -> None:
    """A script that starts others in the background takes them with it."""

    async def main() -> None:
        async with engine_running() as (engine, reports):
            script = "sleep 61 & sleep 62 & sleep 63"
            engine.configure([spec("command", timeout_s=1.5, command=["/bin/sh", "-c", script])])
            report = await asyncio.wait_for(reports.get(), 5)

            assert report.result == Failed(
                FailureReason.READ_TIMEOUT, "no answer within 1.5 s: waiting for the command to end"
            )
            await until(lambda: not running("sleep"))
            assert not zombies()

    run(main())


def test_background_process_does_not_outlive_its_leader() -> None:
    """What a program leaves behind in its group is killed, and does not delay the result."""

    async def main() -> None:
        begin = time.monotonic()
        check = spec("command", timeout_s=30.0, command=["/bin/sh", "-c", "sleep 64 & echo done"])
        assert await result_of(check) == Passed("done")
        assert time.monotonic() - begin < 30
        assert not running("sleep")

    run(main())


def test_hundreds_of_hanging_commands_are_capped() -> None:
    """The limit holds, time lost in the queue is our own fault, other checks keep their time, no zombie is left."""

    async def main() -> None:
        async with engine_running() as (engine, reports):
            hanging = [
                spec("command", name=f"{number}", timeout_s=2.0, interval_s=60.0, command=["/bin/sleep", "65"])
                for number in range(200)
            ]
            engine.configure([*hanging, spec("instant", name="well", interval_s=0.05)])
            seen: list[CheckReport] = []
            most = 0
            while sum(report.check != "well" for report in seen) < 200:
                seen.append(await asyncio.wait_for(reports.get(), 5))
                if len(seen) % 10 == 5:  # looking takes a while itself
                    most = max(most, len(running("sleep")))
            results = [report.result for report in seen if report.check != "well"]
            delays = [report.delay_s for report in seen if report.check == "well"]

            assert 0 < most <= 64
            assert sum(isinstance(result, Failed) for result in results) == 64
            assert {result.reason for result in results if isinstance(result, Errored)} == {ErrorReason.BUSY}
            assert sorted(delays)[len(delays) // 2] < 0.25
            await until(lambda: not running("sleep"))
            assert not zombies()

    run(main())


def test_runner_that_dies_is_started_again() -> None:
    """Its death is our own fault, kills what it ran, and the next command works."""

    async def main() -> None:
        runner = CommandRunner(concurrency=2)
        sleeping = Command(argv=["/bin/sleep", "66"], environment={}, user=None, output_limit=10)
        first = asyncio.ensure_future(runner.run(sleeping, started=lambda _: None))
        await until(lambda: running("sleep"))
        os.kill(children()[0], signal.SIGKILL)
        with pytest.raises(RunnerLost):
            await first
        ended = await runner.run(replace(sleeping, argv=["/bin/echo", "x"]), started=lambda _: None)
        await runner.close()

        assert ended.output == "x\n"
        await until(lambda: not running("sleep") and not children())

    run(main())


def test_no_process_without_a_command_check() -> None:
    """An agent without command checks has no runner."""

    async def main() -> None:
        async with engine_running(ProbeResources(commands=CommandRunner())) as (engine, reports):
            engine.configure([spec("none")])
            await reports.get()
            assert not children()

    run(main())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": []}, "must be a list that starts with the full path"),
        ({"command": ["true"]}, "must be a list that starts with the full path"),
        ({"command": "/bin/true"}, "valid tuple"),
        ({"command": ["/bin/true", "{adress}"]}, "{adress} is not known; there are {address}, {port}"),
        ({"command": ["/bin/true", "\0"]}, "a NUL character cannot be passed"),
        ({"command": ["/bin/true"], "environment": {"A-B": "x"}}, "'A-B' is not the name of a variable"),
        ({}, "Field required"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """Every wrong value says what it must be."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(settings)

    assert message in str(raised.value)


def running(name: str) -> list[int]:
    """Processes below this one that run a program of this name."""
    return [process for process in children() if _status(process, "Name") == name]


def zombies() -> list[int]:
    """Processes below this one that nobody has waited for."""
    return [process for process in children() if _status(process, "State").startswith("Z")]


def _status(process: int, key: str) -> str:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:")), "")
