"""Faults 28 to 36: what keeps the daemon from its work, or ends it.  Some are shown where the commands are tested."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.ldirectord_faults.commands import check_config
from tests.ldirectord_faults.conftest import CfFile
from tests.process.agent import END_WITHIN_S
from tests.process.conftest import StartAgent, StartServers
from tests.process.family import STARTER, WORKER, descendants, name_of, state_of
from tests.process.servers import RealServer

TIMES = "checkinterval=1\nchecktimeout=1\nnegotiatetimeout=1\n"
PERL = Path("/usr/bin/perl")


def service(number: int, server: RealServer, more: str = "") -> str:
    """A virtual service with one server, and ``more`` lines of it."""
    return f"virtual=192.0.2.{number}:80\n    real={server.name} masq\n    service=http\n{more}\n"


@pytest.mark.fault(28)
def test_refused_reload_leaves_the_agent_at_work(cf: CfFile, start: StartAgent, real_servers: StartServers) -> None:
    """ldirectord applies no change of any server's state any more after a reload that failed; lvs-agent goes on with
    the configuration that it has.
    """
    first, second = real_servers(2)
    text = TIMES + service(1, first) + service(2, second)
    agent = start(cf.write(text))
    agent.wait_for("operation_applied", operation="add_destination", count=2)
    cf.write(text.replace("service=http", "service=htp"))
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_refused")
    first.stop()
    agent.wait_for("operation_applied", operation="delete_destination", real_server=first.name)
    first.start()
    agent.wait_for("operation_applied", operation="add_destination", count=3)


@pytest.mark.fault(30)
def test_expression_that_is_none_is_refused_before_it_is_used(
    cf: CfFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord dies at the first check that uses a broken expression in receive; lvs-agent names the line, and what
    runs goes on.
    """
    (server,) = real_servers(1)
    agent = start(cf.write(TIMES + service(1, server)))
    agent.wait_for("real_server_up")
    said = check_config(cf.write(TIMES + service(1, server, '    receive="(ok"')))
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_refused")
    refused_at = time.monotonic()
    agent.until(lambda: len(server.since(refused_at)) >= 2)

    assert said.code == 2
    assert "line 7: receive cannot be used" in said.err


@pytest.mark.fault(30)
def test_monitor_file_that_cannot_be_written_stops_nothing(
    cf: CfFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord dies when it cannot write a line into monitorfile; lvs-agent goes on checking."""
    (server,) = real_servers(1)
    agent = start(cf.write(TIMES + service(1, server, "    monitorfile=/dev/full")))
    agent.wait_for("monitor_file_not_written")
    begun = time.monotonic()
    agent.until(lambda: len(server.since(begun)) >= 3)
    server.stop()
    agent.wait_for("real_server_down")

    assert agent.end() == 0


@pytest.mark.fault(30)
@pytest.mark.skipif(not PERL.exists(), reason="checktype=external-perl needs perl")
def test_check_that_dies_takes_nothing_with_it(
    cf: CfFile, start: StartAgent, real_servers: StartServers, shared_directory: Path
) -> None:
    """ldirectord is killed by its own alarm clock after an external-perl check has died; lvs-agent runs the script as a
    program of its own and finds the server down.
    """
    (server,) = real_servers(1)
    script = shared_directory / "check.pl"
    script.write_text('die "of something";\n')
    script.chmod(0o755)
    agent = start(
        cf.write(
            TIMES
            + "virtual=192.0.2.2:80\n    real=127.0.0.1:8080 masq\n    checktype=external-perl\n"
            + f"    checkcommand={script}\n{service(1, server)}"
        )
    )
    down = agent.wait_for("real_server_down")
    begun = time.monotonic()
    agent.until(lambda: len(server.since(begun)) >= 3)

    assert down["real_server"] == "127.0.0.1:8080"
    assert "of something" in down["detail"]


@pytest.mark.fault(32)
def test_end_does_not_wait_for_a_check_that_hangs(cf: CfFile, start: StartAgent, real_servers: StartServers) -> None:
    """ldirectord takes no notice of SIGTERM while a check hangs; lvs-agent ends at once."""
    (server,) = real_servers(1)
    server.hanging = True
    agent = start(cf.write(f"negotiatetimeout=30\n{service(1, server)}"))
    agent.until(lambda: bool(server.requests))
    began = time.monotonic()

    assert agent.end() == 0
    assert time.monotonic() - began < END_WITHIN_S


@pytest.mark.fault(34)
def test_one_process_decides_for_every_service(cf: CfFile, start: StartAgent, real_servers: StartServers) -> None:
    """ldirectord with fork=yes has a process for each virtual service, each of which changes the rows of all services
    that share a server, and which outlive a killed parent; lvs-agent has one process that makes
    each change once.
    """
    (server,) = real_servers(1)
    agent = start(cf.write(f"fork=yes\n{TIMES}" + "".join(service(number, server) for number in (1, 2, 3))))
    agent.wait_for("operation_applied", operation="add_destination", count=3)
    server.stop()
    agent.wait_for("operation_applied", operation="delete_destination", count=3)
    server.start()
    agent.wait_for("operation_applied", operation="add_destination", count=6)

    assert sorted(map(name_of, descendants(agent.pid))) == [WORKER, STARTER]
    assert len(agent.lines("operation_applied")) == 3 + 3 + 3 + 3
    assert agent.metric("lvs_agent_reconcile_errors_total") == 0


@pytest.mark.fault(34)
def test_command_that_runs_too_long_leaves_no_process(cf: CfFile, start: StartAgent, shared_directory: Path) -> None:
    """ldirectord ends only the child of an external check that takes too long, and its forks never collect it;
    lvs-agent ends all that the check has started, and no zombie stays.
    """
    script, pids = shared_directory / "check", shared_directory / "pids"
    pids.touch(mode=0o666)
    pids.chmod(0o666)
    script.write_text(f"#!/bin/sh\nsleep 60 &\necho $$ $! >>{pids}\nwait\n")
    script.chmod(0o755)
    agent = start(
        cf.write(
            f"fork=yes\n{TIMES}virtual=192.0.2.1:80\n    real=127.0.0.1:8080 masq\n"
            f"    checktype=external\n    checkcommand={script}\n"
        )
    )
    agent.wait_for("real_server_down")
    agent.until(lambda: len(pids.read_text().splitlines()) >= 3)
    done = [int(pid) for line in pids.read_text().splitlines()[:2] for pid in line.split()]

    agent.until(lambda: {state_of(pid) for pid in done} == {""})
    assert "Z" not in {state_of(pid) for pid in descendants(agent.pid)}


@pytest.mark.fault(36)
def test_edit_during_the_first_checks_is_not_missed(cf: CfFile, start: StartAgent, real_servers: StartServers) -> None:
    """ldirectord never sees an edit that is made before its first round of checks is over; lvs-agent takes it in while
    that round is still under way.
    """
    hung, new = real_servers(2)
    hung.hanging = True
    text = f"autoreload=yes\ncheckinterval=1\nnegotiatetimeout=60\n{service(1, hung)}"
    agent = start(cf.write(text))
    agent.until(lambda: bool(hung.requests))
    cf.write(text + service(2, new))
    agent.wait_for("configuration_reloaded", cause="file_changed")
    agent.wait_for("real_server_up", real_server=new.name)

    assert agent.servers()[hung.name]["health"] == "unknown"


@pytest.mark.fault(36)
def test_reload_forgets_no_failure(cf: CfFile, start: StartAgent, real_servers: StartServers) -> None:
    """ldirectord begins to count failures anew at each reload; lvs-agent goes on counting where nothing has changed
    about the check.
    """
    server, other = real_servers(2)
    text = f"{TIMES}failurecount=4\n{service(1, server)}"
    agent = start(cf.write(text))
    agent.wait_for("real_server_up")
    server.status = 500
    failing_since = time.monotonic()
    agent.until(lambda: len(server.since(failing_since)) >= 2)
    cf.write(text + service(2, other))
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_reloaded", changed="true")
    agent.wait_for("real_server_down", real_server=server.name)

    assert 4 <= len(server.since(failing_since)) < 2 + 4
