"""Faults 1 to 9: how soon a server's state is known, and what that costs."""

from __future__ import annotations

import statistics
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.ldirectord_faults.conftest import CfFile
from tests.process.conftest import INTERVAL_S, ConfigFile, StartAgent, StartServers
from tests.process.servers import RealServer

LIMIT_S = 8


def service(number: int, *servers: RealServer, more: str = "") -> str:
    """A virtual service with ``servers``, and ``more`` lines of it."""
    reals = "".join(f"    real={server.name} masq\n" for server in servers)
    return f"virtual=192.0.2.{number}:80\n{reals}    service=http\n    scheduler=rr\n{more}\n"


def longest_gap(times: list[float]) -> float:
    """The longest time without a request between two of them."""
    return max(later - earlier for earlier, later in pairwise(times))


@pytest.mark.fault(1)
def test_one_hung_server_delays_no_other(cf: CfFile, start: StartAgent, real_servers: StartServers) -> None:
    """ldirectord checks one server after the other, so that a hung one keeps all others waiting for its time limit;
    lvs-agent gives each check a clock of its own.
    """
    hung, well = real_servers(2)
    hung.hanging = True
    agent = start(cf.write(f"checkinterval=1\nnegotiatetimeout={LIMIT_S}\n{service(1, hung)}{service(2, well)}"))
    agent.until(lambda: len(well.requests) >= 4)

    assert hung.requests
    assert longest_gap(well.requests) < LIMIT_S / 2


@pytest.mark.fault(2)
def test_dead_servers_of_a_pool_delay_no_server_of_it(
    cf: CfFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord with fork=yes still checks the servers of one pool in turn, so that k hung ones cost k time limits;
    lvs-agent finds all of them down within one interval and one limit, and checks the others as ever.
    """
    *hung, well = real_servers(5)
    limit_s = 2
    agent = start(cf.write(f"fork=yes\ncheckinterval=1\nnegotiatetimeout={limit_s}\n{service(1, *hung, well)}"))
    agent.wait_for("real_server_up", count=5)
    for server in hung:
        server.hanging = True
    began = time.monotonic()
    agent.wait_for("real_server_down", count=len(hung))
    took = time.monotonic() - began
    agent.until(lambda: len(well.since(began)) >= 4)

    assert took < (1 + limit_s) * 2 < limit_s * len(hung)
    assert longest_gap([began, *well.since(began)]) < limit_s * 2


@pytest.mark.fault(5)
def test_command_that_hangs_delays_no_check(
    cf: CfFile, start: StartAgent, real_servers: StartServers, shared_directory: Path
) -> None:
    """ldirectord waits for fallbackcommand before it checks anything else; lvs-agent lets it run beside the checks,
    which notice meanwhile what becomes of the same and of other servers.
    """
    first, other = real_servers(2)
    script, called = shared_directory / "hangs", shared_directory / "called"
    script.write_text(f"#!/bin/sh\ntouch {called}\nwhile [ -e {called} ]; do sleep 0.1; done\n")
    script.chmod(0o755)
    first.stop()
    agent = start(
        cf.write(
            f"checkinterval=1\nchecktimeout=1\n{service(1, first, more=f'    fallbackcommand={script}')}"
            f"{service(2, other)}"
        )
    )
    agent.until(called.exists)
    began = time.monotonic()
    first.start()
    agent.wait_for("real_server_up", real_server=first.name)
    agent.until(lambda: len(other.since(began)) >= 3)

    assert called.exists()
    assert agent.lines("sorry_command") == []
    called.unlink()
    agent.wait_for("sorry_command")


@pytest.mark.fault(6)
def test_interval_and_limit_may_be_parts_of_a_second(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord knows whole seconds only; lvs-agent checks every 200 ms if configured so, and gives up as soon."""
    hung, well = real_servers(2)
    agent = start(config.write([hung, well]))
    agent.wait_for("real_server_up", count=2)
    hung.hanging = True
    failed = agent.wait_for("real_server_down", real_server=hung.name)
    agent.until(lambda: len(well.requests) >= 10)

    assert statistics.median(b - a for a, b in pairwise(well.requests)) < 2 * INTERVAL_S
    assert float(failed["duration_s"]) < 1


@pytest.mark.fault(7)
def test_server_must_prove_itself_before_it_is_back(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord takes a flapping server back after a single success; lvs-agent waits for as many in a row as
    ``rise`` says.
    """
    (server,) = real_servers(1)
    server.status = 500
    path = config.write([server])
    agent = start(config.replace(path.read_text().replace("rise = 1", "rise = 4")))
    agent.wait_for("real_server_down")
    recovered_at = time.monotonic()
    server.status = 200
    agent.wait_for("real_server_up")

    assert len(server.since(recovered_at)) >= 4


@pytest.mark.fault(7)
def test_service_with_too_few_servers_is_told(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord takes a service for well as long as a single server is left; lvs-agent reports that it has fewer than
    its ``quorum``.
    """
    first, second = real_servers(2)
    path = config.write([first, second])
    agent = start(config.replace(path.read_text().replace("port = 80\n", "port = 80\nquorum = 2\n", 1)))
    agent.wait_for("real_server_up", count=2)
    agent.until(lambda: agent.metric("lvs_virtual_service_quorum_up", virtual_service="web") == 1)
    first.stop()
    agent.wait_for("real_server_down")

    # Scrapes within a second are the same.
    agent.until(lambda: agent.metric("lvs_virtual_service_quorum_up", virtual_service="web") == 0)
    assert agent.status()["services"][0]["quorum_reached"] is False


@pytest.mark.fault(8)
def test_failures_count_once_however_many_services_share_the_server(
    cf: CfFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord counts one failed check once for each virtual service that has the server, so that failurecount=3 is
    used up in one round; lvs-agent takes the server out of each of them after three failures in a row.
    """
    (server,) = real_servers(1)
    agent = start(
        cf.write(
            "checkinterval=1\nchecktimeout=1\nfailurecount=3\n"
            + "".join(service(number, server) for number in (1, 2, 3))
        )
    )
    agent.wait_for("real_server_up", count=3)
    began = time.monotonic()
    server.status = 500
    agent.wait_for("real_server_down")
    took = time.monotonic() - began
    agent.wait_for("real_server_down", count=3)

    assert took > 1.5, "three failures are two intervals apart"
