"""Faults 19 to 27 as far as they need no kernel: what can be said of real servers.  The lab shows the others."""

from __future__ import annotations

import signal

import pytest

from tests.checks.servers import unused_port
from tests.ldirectord_faults.conftest import CfFile
from tests.process.conftest import ConfigFile, StartAgent, StartServers


@pytest.mark.fault(19)
@pytest.mark.parametrize("quiescent", ["yes", "no"])
def test_dead_server_is_not_tried_out_on_clients(
    cf: CfFile, start: StartAgent, real_servers: StartServers, quiescent: str
) -> None:
    """ldirectord adds a server that it does not know yet with its full weight, and takes it out when the first check
    has failed, anew at each reload; lvs-agent adds it when a check has passed.
    """
    dead, well = real_servers(2)
    dead.stop()
    text = (
        f"checkinterval=1\nquiescent={quiescent}\nvirtual=192.0.2.1:80\n"
        f"    real={dead.name} masq 5\n    real={well.name} masq 5\n    service=http\n"
    )
    agent = start(cf.write(text))
    agent.wait_for("real_server_down")
    agent.wait_for("operation_applied", operation="add_destination", real_server=well.name)
    cf.write(f"{text}virtual=7\n    real=192.0.2.7 gate\n    checktype=on\n")
    agent.send(signal.SIGHUP)
    agent.wait_for("operation_applied", operation="add_destination", real_server="192.0.2.7:0")
    begun = len(agent.lines("operation_applied", real_server=dead.name, weight="5"))
    dead.start()
    agent.wait_for("operation_applied", real_server=dead.name, weight="5")

    assert begun == 0


@pytest.mark.fault(27)
def test_real_server_may_have_settings_of_its_own(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """ldirectord has one check port and one time limit for all servers of a pool; lvs-agent takes every key of a check
    for a single real server, too.
    """
    (server,) = real_servers(1)
    elsewhere = unused_port()
    more = (
        f'[[virtual_service.real_server]]\naddress = "127.0.0.1"\nport = {elsewhere}\n'
        f"check = {{ port = {server.port} }}\n"
        f'[[virtual_service.real_server]]\naddress = "127.0.0.2"\nport = {server.port}\n'
        f"check = {{ port = {elsewhere}, fall = 3 }}\n"
    )
    agent = start(config.write([server], more=more))
    agent.wait_for("real_server_up", real_server=server.name)
    agent.wait_for("real_server_up", real_server=f"127.0.0.1:{elsewhere}")
    agent.wait_for("real_server_down", real_server=f"127.0.0.2:{server.port}")
