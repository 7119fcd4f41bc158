"""Faults 42 to 46: what those who operate it have to do without."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.ldirectord_faults.commands import lvs_agent
from tests.ldirectord_faults.conftest import CfFile, StartSites
from tests.process.conftest import StartAgent, StartServers

TIMES = "checkinterval=1\nnegotiatetimeout=2\nchecktimeout=2\n"


@pytest.mark.fault(42)
def test_fallback_command_is_told_of_the_end(
    cf: CfFile, start: StartAgent, real_servers: StartServers, shared_directory: Path
) -> None:
    """ldirectord does not call fallbackcommand when it ends, so that what it has set up stays for ever; lvs-agent calls
    it with stop for every service that it takes down, where it has called it with start.
    """
    (server,) = real_servers(1)
    server.stop()
    script, calls = shared_directory / "sorry", shared_directory / "calls"
    script.write_text(f'#!/bin/sh\necho "$@" >>{calls}\n')
    script.chmod(0o755)
    agent = start(
        cf.write(
            f"{TIMES}virtual=192.0.2.1:80\n    real={server.name} masq\n    service=http\n"
            f"    fallbackcommand={script} here\n"
        )
    )
    agent.wait_for("sorry_command")

    assert agent.end() == 0
    assert calls.read_text().splitlines() == ["here start 192.0.2.1:80 tcp", "here stop 192.0.2.1:80 tcp"]


@pytest.mark.fault(43)
def test_reason_for_a_dead_server_is_everywhere_to_be_read(
    cf: CfFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord never logs why a server is down, and has neither a list of its servers nor metrics; lvs-agent tells
    the reason in log, status, API and metrics.
    """
    ill, well = real_servers(2)
    ill.status = 503
    agent = start(
        cf.write(
            f"{TIMES}virtual=192.0.2.1:80\n    real={ill.name} masq\n    real={well.name} masq\n    service=http\n"
        )
    )
    down = agent.wait_for("real_server_down")
    agent.wait_for("operation_applied", operation="add_destination")
    status = lvs_agent("status", "--url", agent.url)
    (check,) = agent.servers()[ill.name]["checks"]

    assert (down["reason"], "503" in down["detail"]) == ("status", True)
    assert re.search(rf"{re.escape(ill.name)} .*503", status.out)
    assert "503" in str(check)
    assert agent.metric("lvs_real_server_up", real_server=ill.name) == 0
    assert agent.metric("lvs_real_server_up", real_server=well.name) == 1


@pytest.mark.fault(44)
def test_each_of_several_recipients_gets_a_mail_of_his_own(cf: CfFile) -> None:
    """ldirectord gives several recipients to the mail server as a single one, which is refused unnoticed; lvs-agent
    converts them to receivers of Alertmanager, one for each.
    """
    path = cf.write(
        'emailalert="one@example.com, two@example.com"\nsmtp=mail.example.com\n'
        "virtual=192.0.2.1:80\n    real=192.0.2.7:80 gate\n"
    )
    converted = lvs_agent("convert", "--alertmanager", path)

    assert converted.code == 0
    assert re.findall(r'- to: "(.*)"', converted.out) == ["one@example.com", "two@example.com"]


@pytest.mark.fault(46)
def test_http_over_ipv6_needs_nothing_else(cf: CfFile, start: StartAgent, sites: StartSites) -> None:
    """ldirectord dies at its first HTTP check over IPv6 where a module is missing that nothing depends on; lvs-agent
    needs no more than for IPv4.
    """
    site = sites(address="::1")
    agent = start(cf.write(f"{TIMES}virtual6=[2001:db8::1]:80\n    real6={site.name} masq\n    service=http\n"))
    agent.wait_for("real_server_up")

    assert site.requests[0].host == site.name
