"""The agent behind ldirectord's command line.  Tests that name a fault show that it is ldirectord's, and not ours."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.agent import PATIENCE_S
from tests.process.conftest import ConfigFile, StartServers
from tests.process.ldirectord import Ldirectord, is_alive

ALWAYS_UP = """
[agent]
state_dir = "state"
on_stop = "{on_stop}"
[[virtual_service]]
name = "web"
address = "192.0.2.1"
port = 80
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "127.0.0.1"
"""
RULES = Path(__file__).parents[2] / "packaging" / "logrotate" / "lvs-agent"
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
BROKEN = '[[virtual_service]]\naddress = "192.0.2.1"\nport = 80\nschedular = "rr"\nweight = -1\n'


@pytest.fixture
def ldirectord(tmp_path: Path) -> Iterator[Ldirectord]:
    """The program; what it started ends with the test."""
    program = Ldirectord(tmp_path)
    yield program
    program.end_all()


@pytest.fixture
def web(config: ConfigFile) -> Path:
    """A configuration with one server that is always up; its table is to go when the agent stops."""
    return config.replace(ALWAYS_UP.format(on_stop="remove"))


@pytest.fixture
def running(ldirectord: Ldirectord, web: Path) -> Path:
    """The configuration of an agent that was started."""
    assert ldirectord(web, "start") == (0, "", "")
    return web


def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.02)


# --- start and stop ---------------------------------------------------------------------------------------------------


def test_start_returns_when_the_table_is_right(
    ldirectord: Ldirectord, config: ConfigFile, real_servers: StartServers
) -> None:
    """Servers have been checked by then, and nothing is left to do."""
    path = config.write(real_servers(2))
    said = ldirectord(path, "start")

    assert said == (0, "", "")
    assert ldirectord.get("/readyz").status_code == 200
    assert len(ldirectord.events("operation_applied")) == 3


def test_start_says_what_is_missing_when_a_server_takes_long(
    ldirectord: Ldirectord, config: ConfigFile, real_servers: StartServers
) -> None:
    """A check with a long time limit holds nothing up for long, and does not fail the start."""
    (server,) = real_servers(1)
    server.hanging = True
    path = config.write([server], timeout="29s", check="")
    config.replace(path.read_text().replace('interval = "0.2s"', 'interval = "30s"'))
    said = ldirectord(path, "start", "--start-timeout", "0.2")

    assert (said.code, said.out) == (0, "")
    assert "runs, but the table is not in sync yet" in said.err


def test_daemon_is_on_its_own(ldirectord: Ldirectord, running: Path) -> None:
    """It has a session of its own, holds no directory, and reads from nowhere."""
    pid = ldirectord.pid

    assert os.getsid(pid) == pid
    assert str(Path(f"/proc/{pid}/cwd").readlink()) == "/"
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == "/dev/null"
    assert str(Path(f"/proc/{pid}/fd/1").readlink()) == str(Path(f"/proc/{pid}/fd/2").readlink()) == str(ldirectord.log)


def test_start_of_what_runs_changes_nothing(ldirectord: Ldirectord, running: Path) -> None:
    """Exit code 0, nothing said, the same process."""
    pid = ldirectord.pid
    said = ldirectord(running, "start")

    assert said == (0, "", "")
    assert ldirectord.pid == pid


def test_two_starts_at_once_start_one_agent(ldirectord: Ldirectord, web: Path) -> None:
    """Both succeed, and the log has one start."""
    starts = [ldirectord.begin(web, "start") for _ in range(2)]

    assert [start.communicate() for start in starts] == [("", "")] * 2
    assert [start.returncode for start in starts] == [0, 0]
    assert len(ldirectord.events("started")) == 1


def test_fault_31_stop_returns_when_the_agent_has_ended(ldirectord: Ldirectord, running: Path) -> None:
    """So a start right after a stop starts an agent, where ldirectord leaves none."""
    first = ldirectord.pid
    stopped = ldirectord(running, "stop")
    was_alive = is_alive(first)
    started = ldirectord(running, "start")

    assert (stopped, was_alive, started) == ((0, "", ""), False, (0, "", ""))
    assert is_alive(ldirectord.pid)
    assert ldirectord.pid != first


@pytest.mark.parametrize(("on_stop", "removed"), [("keep", 0), ("remove", 1)])
def test_stop_does_to_the_table_what_the_configuration_says(
    ldirectord: Ldirectord, config: ConfigFile, on_stop: str, removed: int
) -> None:
    """Whether it stays is not a matter of who stops the agent."""
    path = config.replace(ALWAYS_UP.format(on_stop=on_stop))
    ldirectord(path, "start")
    ldirectord(path, "stop")

    assert (
        len([one for one in ldirectord.events("operation_applied") if one["operation"] == "delete_service"]) == removed
    )
    assert ldirectord.pid_files == []


def test_stop_can_be_told_to_keep_the_table(ldirectord: Ldirectord, running: Path) -> None:
    """For a way back to ldirectord, without a change of the configuration."""
    said = ldirectord(running, "stop", "--keep-table")

    assert said == (0, "", "")
    assert "delete_service" not in [one["operation"] for one in ldirectord.events("operation_applied")]


def test_agent_that_does_not_end_is_killed(ldirectord: Ldirectord, running: Path) -> None:
    """Stop has failed then, says so, and nothing is left."""
    pid = ldirectord.pid
    os.kill(pid, signal.SIGSTOP)
    said = ldirectord("--stop-timeout", "0.2", running, "stop")

    assert (said.code, said.out) == (1, "")
    assert f"lvs-agent (pid {pid}) did not stop within 0.2 s and is killed; the table stays" in said.err
    assert not is_alive(pid)
    assert ldirectord(running, "status").code == 3


@pytest.mark.parametrize("name", ["web.cf", "web", "web.conf"])
def test_file_of_any_name_is_read_as_ldirectords(ldirectord: Ldirectord, tmp_path: Path, name: str) -> None:
    """Only one that ends in .toml is not."""
    path = tmp_path / name
    path.write_text("virtual=192.0.2.1:80\n    real=192.0.2.2:80 gate\n    checktype=on\n")
    good = ldirectord(name, "check-config")
    path.write_text("virtual=192.0.2.1:80\n    real=192.0.2.2:80 plough\n")
    bad = ldirectord(name, "check-config")

    assert good.code == 0
    assert bad.code == 2
    assert f"{name}: line 2: " in bad.err


@pytest.mark.skipif(
    shutil.which("logrotate", path=SYSTEM_PATH) is None, reason="needs logrotate; make test installs it"
)
def test_log_is_rotated_while_the_agent_writes_on(ldirectord: Ldirectord, running: Path) -> None:
    """With the rules that are installed: no line is lost, and no process needs a signal."""
    rules = ldirectord.directory / "rules"
    rules.write_text(RULES.read_text().replace("/var/log/lvs-agent", str(ldirectord.log.parent)))
    rules.chmod(0o644)
    command: list[str | Path] = ["logrotate", "--force", "--state", ldirectord.directory / "logrotate.state", rules]
    done = subprocess.run(command, env={"PATH": SYSTEM_PATH}, capture_output=True, text=True, check=False)
    ldirectord(running, "reload")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert '"event": "started"' in ldirectord.log.with_name("agent.log.1").read_text()
    assert "started" not in ldirectord.log.read_text()
    assert len(ldirectord.events("configuration_reloaded")) == 1
    assert "\0" not in ldirectord.log.read_text()


# --- restart ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["restart", "try-restart"])
def test_restart_leaves_the_table_as_it_is(ldirectord: Ldirectord, running: Path, word: str) -> None:
    """Even where the table is to go when the agent stops; the process is another one."""
    first = ldirectord.pid
    said = ldirectord(running, word)

    assert said == (0, "", "")
    assert ldirectord.pid != first
    assert not is_alive(first)
    assert [one["operation"] for one in ldirectord.events("operation_applied")].count("delete_service") == 0


@pytest.mark.parametrize(("word", "runs"), [("restart", True), ("try-restart", False)])
def test_restart_of_nothing_starts_and_try_restart_does_not(
    ldirectord: Ldirectord, web: Path, word: str, *, runs: bool
) -> None:
    """As ldirectord has it."""
    assert ldirectord(web, word) == (0, "", "")
    assert ldirectord(web, "status").code == (0 if runs else 3)


def test_restart_with_a_broken_configuration_stops_nothing(
    ldirectord: Ldirectord, running: Path, config: ConfigFile
) -> None:
    """Every problem is reported, and the running agent continues."""
    pid = ldirectord.pid
    config.replace(BROKEN)
    said = ldirectord(running, "restart")

    assert said.code == 2
    assert "did you mean 'scheduler'?" in said.err
    assert "weight" in said.err
    assert "not restarted" in said.err
    assert ldirectord.pid == pid


# --- reload -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["reload", "force-reload"])
def test_reload_returns_when_the_configuration_is_taken(
    ldirectord: Ldirectord, running: Path, config: ConfigFile, word: str
) -> None:
    """No process ends, and the new service is there."""
    pid = ldirectord.pid
    config.replace(running.read_text() + '[[virtual_service]]\nname = "more"\nfwmark = 5\n')
    said = ldirectord(running, word)

    assert said == (0, "", "")
    assert ldirectord.pid == pid
    assert len(ldirectord.get("/api/v1/status").json()["services"]) == 2


def test_refused_reload_says_why(ldirectord: Ldirectord, running: Path, config: ConfigFile) -> None:
    """The exit code is that of ldirectord, which only says that the signal was sent."""
    config.replace(BROKEN)
    said = ldirectord(running, "reload")

    assert (said.code, said.out) == (0, "")
    assert "did you mean 'scheduler'?" in said.err
    assert f"error: {running}: virtual_service" in said.err
    assert "not reloaded" in said.err


def test_reload_of_nothing_fails(ldirectord: Ldirectord, web: Path) -> None:
    """Exit code 1, as ldirectord's."""
    said = ldirectord(web, "reload")

    assert (said.code, said.out) == (1, "")
    assert "nothing to reload" in said.err


# --- status -----------------------------------------------------------------------------------------------------------


def test_status_of_what_runs_is_on_standard_error(ldirectord: Ldirectord, running: Path) -> None:
    """The stream, the pid and the exit code are where scripts expect them."""
    said = ldirectord(running, "status")

    assert (said.code, said.out) == (0, "")
    assert said.err == f"lvs-agent for {running} is running with pid: {ldirectord.pid}\n"


def test_status_of_what_is_stopped_is_on_standard_output(ldirectord: Ldirectord, web: Path) -> None:
    """Exit code 3."""
    assert ldirectord(web, "status") == (3, f"lvs-agent is stopped for {web}\n", "")


def test_status_after_a_crash_is_told_from_a_stop(ldirectord: Ldirectord, running: Path) -> None:
    """Exit code 1 and both streams, until the next start or stop."""
    pid = ldirectord.pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid))
    after_crash = ldirectord(running, "status")
    ldirectord(running, "stop")

    assert after_crash.code == 1
    assert "ldirectord stale pid file" in after_crash.err
    assert after_crash.out == f"lvs-agent is stopped for {running}\n"
    assert ldirectord(running, "status").code == 3


def test_probe_asks_the_agent_itself(ldirectord: Ldirectord, running: Path) -> None:
    """A process that does nothing is there, but does not work: exit code 4."""
    alive = [ldirectord("status", running, "--probe", probe).code for probe in ("live", "ready")]
    os.kill(ldirectord.pid, signal.SIGSTOP)
    hanging = ldirectord("status", running, "--probe", "live")

    assert alive == [0, 0]
    assert hanging.code == 4
    assert "does not answer" in hanging.err


def test_status_is_for_everybody(ldirectord: Ldirectord, running: Path) -> None:
    """It needs no permission to write."""
    assert ldirectord(running, "status", before=WITHOUT_RIGHTS).code == 0


# --- what must not be in the way --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [pytest.param(BROKEN, id="broken"), pytest.param(None, id="missing")])
def test_fault_29_broken_configuration_keeps_nobody_from_managing_the_agent(
    ldirectord: Ldirectord, running: Path, config: ConfigFile, text: str | None
) -> None:
    """Status, reload and stop do not need it, and the pid file stays as long as the agent."""
    pid = ldirectord.pid
    if text is None:
        running.unlink()
    else:
        config.replace(text)
    codes = [ldirectord(running, word).code for word in ("status", "reload", "status", "stop")]

    assert codes == [0, 0, 0, 0]
    assert not is_alive(pid)
    assert ldirectord.pid_files == []


def test_fault_32_second_signal_ends_it_as_cleanly_as_the_first(ldirectord: Ldirectord, web: Path) -> None:
    """A second signal does not leave the table or the pid file behind."""
    process = ldirectord.begin("-d", web, "start")
    until(lambda: ldirectord.serves)
    for _ in range(5):
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert '"operation": "delete_service"' in said
    assert '"event": "stopped"' in said
    assert ldirectord.pid_files == []


def test_fault_33_foreground_can_be_controlled(ldirectord: Ldirectord, web: Path) -> None:
    """It has a pid file, is not started twice, and is stopped like any other; its log is on standard error."""
    process = ldirectord.begin("--debug", web, "start")
    until(lambda: ldirectord.serves)
    pid = ldirectord.pid
    second = ldirectord(web, "start")
    stopped = ldirectord(web, "stop")
    _, said = process.communicate(timeout=PATIENCE_S)

    assert second == stopped == (0, "", "")
    assert process.returncode == 0
    assert '"event": "started"' in said
    assert not is_alive(pid)
    assert not ldirectord.log.exists()


def test_fault_35_one_configuration_has_one_pid_file(ldirectord: Ldirectord, running: Path) -> None:
    """Absolute, relative, by a link, and with the words in the other order: it is the same agent."""
    link = running.with_name("link.toml")
    link.symlink_to(running)
    (running.parent / "directory").symlink_to(running.parent)
    names: list[str | Path] = [
        running,
        running.name,
        link,
        f"directory/{running.name}",
        f"./directory/../{running.name}",
    ]
    pids = {ldirectord.pid_by_name(Path(name)) for name in names}
    codes = [ldirectord("start", name).code for name in names]

    assert len(pids) == 1
    assert codes == [0] * len(names)
    assert len(ldirectord.pid_files) == len(ldirectord.events("started")) == 1
    assert ldirectord("stop", link) == (0, "", "")


def test_link_to_itself_is_no_configuration(ldirectord: Ldirectord, web: Path) -> None:
    """It is named with the places that were looked at."""
    link = web.with_name("circle.cf")
    link.symlink_to(link)

    assert "there is no configuration" in ldirectord(link, "start").err
    assert ldirectord(link, "status").code == 1


def test_link_that_was_set_anew_still_names_the_agent(ldirectord: Ldirectord, web: Path) -> None:
    """A configuration that is deployed by moving a link is the one that was started by that name."""
    link = web.with_name("current.toml")
    link.symlink_to(web)
    ldirectord(link, "start")
    pid = ldirectord.pid_by_name(link)
    newer = web.with_name("newer.toml")
    newer.write_text(web.read_text())
    link.unlink()
    link.symlink_to(newer)

    assert ldirectord.pid_by_name(link) == pid
    assert ldirectord(link, "stop") == (0, "", "")
    assert not is_alive(pid)


def test_fault_35_other_process_with_the_pid_is_not_ours(ldirectord: Ldirectord, running: Path) -> None:
    """A pid file that was left behind means nothing, whatever the process is called that has the number now."""
    pid = ldirectord.pid
    (pid_file,) = ldirectord.pid_files
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid))
    words = (sys.executable, "-c", "import time; time.sleep(60)", "ldirectord", "lvs-agent", str(running))
    with subprocess.Popen(words) as other:
        pid_file.write_text(pid_file.read_text().replace(str(pid), str(other.pid), 1))
        codes = [ldirectord(running, word).code for word in ("status", "reload", "stop", "start")]
        spared = other.poll() is None
        other.kill()

    assert codes == [1, 1, 0, 0]
    assert spared


def test_commands_of_the_agent_are_not_the_agent(ldirectord: Ldirectord, config: ConfigFile) -> None:
    """A check that outlives it does not make it look alive."""
    slow = '{ type = "command", command = ["/bin/sleep", "20"], interval = "30s", timeout = "25s" }'
    path = config.replace(ALWAYS_UP.format(on_stop="keep").replace('{ type = "none" }', slow))
    started = ldirectord.begin(path, "start")
    until(lambda: ldirectord.serves)
    children = Path(f"/proc/{ldirectord.pid}/task/{ldirectord.pid}/children")
    until(lambda: children.read_text() != "")
    started.kill()
    started.communicate()
    os.kill(ldirectord.pid, signal.SIGKILL)

    until(lambda: ldirectord(path, "status").code == 1)


# --- what cannot be started -------------------------------------------------------------------------------------------


def test_start_with_a_broken_configuration_names_every_problem(ldirectord: Ldirectord, config: ConfigFile) -> None:
    """Exit code 2, and nothing is left behind."""
    path = config.replace(BROKEN)
    said = ldirectord(path, "start")

    assert (said.code, said.out) == (2, "")
    assert "did you mean 'scheduler'?" in said.err
    assert "weight" in said.err
    assert ldirectord(path, "status").code == 3


def test_agent_that_cannot_start_says_why(ldirectord: Ldirectord, web: Path) -> None:
    """Not only in the log: the command that starts it prints the reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = f"--ipvs memory --listen 127.0.0.1:{taken.getsockname()[1]}"
        said = ldirectord(web, "start", LVS_AGENT_OPTIONS=options)

    assert (said.code, said.out) == (1, "")
    assert "another program listens there" in said.err
    assert str(ldirectord.log) in said.err
    assert ldirectord(web, "status").code == 3


@pytest.mark.parametrize("word", ["start", "stop", "status", "reload", "restart", "try-restart", "check-config"])
def test_missing_configuration_of_nothing_is_an_error(ldirectord: Ldirectord, word: str) -> None:
    """Exit code 1, with every place that it was looked for."""
    said = ldirectord("nothing.cf", word)
    places = f"/etc/ha.d/nothing.cf, /etc/ha.d/conf/nothing.cf, {ldirectord.directory}/nothing.cf"

    assert (said.code, said.out) == (1, "")
    assert said.err == f"error: there is no configuration nothing.cf: looked for {places}\n"


WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
"""Not even root may write everywhere then."""


@pytest.mark.parametrize(
    ("variable", "option"), [("LVS_LDIRECTORD_RUN_DIR", "--run-dir"), ("LVS_LDIRECTORD_LOG", "--log-file")]
)
def test_directory_that_cannot_be_written_is_named_with_the_remedy(
    ldirectord: Ldirectord, web: Path, variable: str, option: str
) -> None:
    """Exit code 1."""
    directory = web.parent / "closed"
    directory.mkdir(mode=0o555)
    said = ldirectord(web, "start", before=WITHOUT_RIGHTS, **{variable: str(directory / "below")})

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error: {directory / 'below'}: permission denied; run as root, or choose another ")
    assert option in said.err
    assert variable in said.err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="nothing"),
        pytest.param(("web.toml",), id="no action"),
        pytest.param(("web.toml", "go"), id="no such action"),
        pytest.param(("web.toml", "start", "now"), id="too much"),
        pytest.param(("--loud", "start"), id="no such option"),
    ],
)
def test_command_line_that_means_nothing_is_refused(ldirectord: Ldirectord, words: tuple[str, ...]) -> None:
    """Exit code 255, as ldirectord's."""
    said = ldirectord(*words)

    assert (said.code, said.out) == (255, "")
    assert said.err.startswith("Usage: ")


@pytest.mark.parametrize("option", ["-h", "-?", "--help", "-v", "--version"])
def test_help_and_version_are_given(ldirectord: Ldirectord, option: str) -> None:
    """On standard output, with exit code 0."""
    said = ldirectord(option)

    assert (said.code, said.err) == (0, "")
    assert "lvs-ldirectord" in said.out


def test_check_config_names_every_problem_and_touches_nothing(ldirectord: Ldirectord, config: ConfigFile) -> None:
    """ldirectord has no such command."""
    good = ldirectord(config.replace(ALWAYS_UP.format(on_stop="keep")), "check-config")
    bad = ldirectord(config.replace(BROKEN), "check-config")

    assert good == (0, "", "")
    assert (bad.code, bad.out, bad.err.count("error: ")) == (2, "", 2)
    assert not ldirectord.run_dir.exists()


def test_options_come_from_the_defaults(ldirectord: Ldirectord, web: Path) -> None:
    """Where the environment says nothing, /etc/default does, and there the file of the one configuration first."""
    of_all = "--ipvs memory --listen 127.0.0.1:0"
    (ldirectord.directory / "defaults").write_text(f'# all of them\nLVS_AGENT_OPTIONS="{of_all}"\n')
    of_one = f"{of_all} --log-format json"
    (ldirectord.directory / f"defaults-{web.name}").write_text(f"export LVS_AGENT_OPTIONS='{of_one}'\n")
    said = ldirectord(web, "start", LVS_AGENT_OPTIONS="")

    assert said == (0, "", "")
    assert len(ldirectord.events("started")) == 1
