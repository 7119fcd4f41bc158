"""Faults 10 to 18: servers that are found up or down and are not."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest

from tests.checks.conftest import Certificates
from tests.checks.servers import unused_port
from tests.ldirectord_faults.commands import check_config
from tests.ldirectord_faults.conftest import CfFile, StartSites
from tests.ldirectord_faults.site import Answer, Request
from tests.process.conftest import StartAgent, StartServers

TIMES = "checkinterval=1\nnegotiatetimeout=3\nchecktimeout=3\n"


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("line", "told_at"),
    [("virtual=192.0.2.1:8080", 1), ("virtual=7", 1), ("virtual=192.0.2.1:80\n    service=none", 2)],
)
def test_service_that_nobody_checks_is_named(cf: CfFile, line: str, told_at: int) -> None:
    """ldirectord finds every server up, and says nothing, where it knows no protocol for the port; lvs-agent names each
    such service with its line.
    """
    said = check_config(cf.write(f"{line}\n    real=192.0.2.7:8080 masq\n"))

    assert said.code == 0
    (warning,) = [one for one in said.err.splitlines() if "nothing is checked" in one]
    assert f"line {told_at}: " in warning
    assert "every server counts as up" in warning


@pytest.mark.fault(10)
@pytest.mark.parametrize("service", ["pop", "ftp"])
def test_port_that_refuses_is_down_whatever_is_spoken_there(cf: CfFile, start: StartAgent, service: str) -> None:
    """ldirectord finds POP without a login and FTP without a text up even where nothing listens; lvs-agent finds such
    servers down.
    """
    port = unused_port()
    agent = start(cf.write(f"{TIMES}virtual=192.0.2.1:{port}\n    real=127.0.0.1:{port} masq\n    service={service}\n"))

    assert agent.wait_for("real_server_down")["real_server"] == f"127.0.0.1:{port}"
    assert agent.lines("operation_applied", operation="add_destination") == []


@pytest.mark.fault(11)
@pytest.mark.parametrize("number", ["KILL", "TERM", "SEGV"])
def test_command_that_a_signal_ends_has_failed(
    cf: CfFile, start: StartAgent, shared_directory: Path, number: str
) -> None:
    """ldirectord takes an external check that was killed by a signal for a success; lvs-agent takes it for a
    failure.
    """
    script = shared_directory / "check"
    script.write_text(f"#!/bin/sh\nkill -{number} $$\n")
    script.chmod(0o755)
    agent = start(
        cf.write(
            f"{TIMES}virtual=192.0.2.1:80\n    real=127.0.0.1:8080 masq\n"
            f'    checktype=external\n    checkcommand="{script}"\n'
        )
    )

    assert agent.wait_for("real_server_down")["real_server"] == "127.0.0.1:8080"
    assert agent.lines("real_server_up") == []


@pytest.mark.fault(12)
def test_redirect_to_a_healthy_peer_does_not_make_a_server_up(cf: CfFile, start: StartAgent, sites: StartSites) -> None:
    """ldirectord follows a redirect to any host, and finds the server up because another one is; lvs-agent follows it
    to the checked server only.
    """
    peer = sites(address="127.0.0.2")
    ill = sites(lambda _: Answer(302, {"Location": f"http://{peer.name}/"}))
    agent = start(cf.write(f"{TIMES}virtual=192.0.2.1:80\n    real={ill.name} masq\n    service=http\n"))
    down = agent.wait_for("real_server_down")

    assert "127.0.0.2" in down["detail"]
    assert peer.requests == []


@pytest.mark.fault(12)
def test_redirect_keeps_the_host(cf: CfFile, start: StartAgent, sites: StartSites) -> None:
    """ldirectord asks for the target of a redirect without the name in virtualhost; lvs-agent goes on asking the same
    server for the same host.
    """

    def answer(request: Request) -> Answer:
        return Answer(302, {"Location": "/there"}) if request.path == "/" else Answer(body=b"well")

    site = sites(answer)
    agent = start(
        cf.write(
            f"{TIMES}virtual=192.0.2.1:80\n    real={site.name} masq\n    service=http\n"
            '    virtualhost=www.example.com\n    receive="well"\n'
        )
    )
    agent.wait_for("real_server_up")

    assert [(one.path, one.host) for one in site.requests[:2]] == [
        ("/", "www.example.com"),
        ("/there", "www.example.com"),
    ]


@pytest.mark.fault(13)
def test_https_names_the_host_and_takes_a_certificate_of_its_own(
    cf: CfFile, start: StartAgent, sites: StartSites, certificates: Certificates
) -> None:
    """ldirectord never tells a TLS server which host is meant, and finds servers with a certificate of their own down
    for ever; lvs-agent sends virtualhost as the server name and, with the same file, looks at no certificate.
    """
    asked: list[str | None] = []
    context = certificates.good.server_context()

    def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = note
    site = sites(tls=context)
    agent = start(
        cf.write(f"{TIMES}virtual=192.0.2.1:443\n    real={site.name} masq\n    virtualhost=www.example.com\n")
    )
    agent.wait_for("real_server_up")

    assert asked[0] == "www.example.com"
    assert site.requests[0].host == "www.example.com"


@pytest.mark.fault(15)
@pytest.mark.parametrize("check", ["service=http", "checktype=connect"])
def test_server_without_a_port_is_checked_on_that_of_its_service(
    cf: CfFile, start: StartAgent, real_servers: StartServers, check: str
) -> None:
    """ldirectord checks a real server without a port on the usual port of the protocol, or on none; lvs-agent checks it
    on the port where the virtual service sends its clients.
    """
    (server,) = real_servers(1)
    agent = start(cf.write(f"{TIMES}virtual=192.0.2.1:{server.port}\n    real=127.0.0.1 gate\n    {check}\n"))
    agent.wait_for("real_server_up")
    server.stop()
    agent.wait_for("real_server_down")


@pytest.mark.fault(16)
def test_services_that_ask_differently_have_their_own_verdicts(
    cf: CfFile, start: StartAgent, sites: StartSites
) -> None:
    """ldirectord lets two virtual services share one result where they differ in httpmethod only; lvs-agent shares what
    is the same in every setting.
    """
    site = sites(lambda request: Answer(200 if request.method == "HEAD" else 500))
    block = "virtual=192.0.2.{}:80\n    real={} masq\n    service=http\n    httpmethod={}\n"
    agent = start(cf.write(TIMES + block.format(1, site.name, "HEAD") + block.format(2, site.name, "GET")))
    agent.wait_for("real_server_up", virtual_service="tcp/192.0.2.1:80")
    agent.wait_for("real_server_down", virtual_service="tcp/192.0.2.2:80")


@pytest.mark.fault(18)
def test_connect_that_becomes_a_ping_is_told(cf: CfFile) -> None:
    """ldirectord silently pings where checktype=connect meets udp; lvs-agent says so, with the line."""
    said = check_config(
        cf.write("virtual=192.0.2.1:53\n    real=192.0.2.7:53 masq\n    protocol=udp\n    checktype=connect\n")
    )

    assert said.code == 0
    assert re.search(r"line 4: .*pinged", said.err)
