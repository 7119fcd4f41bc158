"""A director with a service of every kind that IPVS has, all of which have served."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.lab.agent import PORT, Agent
from tests.lab.hosts import DEVICE, RealServer
from tests.lab.listing import Row
from tests.lab.net import VIP, VIP6, Cluster

MARKED, MARKED6 = "10.1.0.101", "2001:db8:1::101"
FOREIGN = "10.1.0.200:443"
BULK_BYTES = 9 << 29
"""More than 32 bits can count: 4.5 GiB."""

WEB, UDP, SCTP = Row(f"TCP {VIP}:80"), Row(f"UDP {VIP}:80"), Row(f"SCTP {VIP}:80")
SIX, STICKY, BULK = Row(f"TCP [{VIP6}]:80"), Row(f"TCP {VIP}:81"), Row(f"TCP {VIP}:9000")
MARK, MARK6 = Row("FWM 10"), Row("FWM 10 IPv6")
CONNECTIONS = {WEB: 11, UDP: 4, SCTP: 3, SIX: 5, STICKY: 7, BULK: 1, MARK: 2, MARK6: 3}
"""Connections that the client makes to each service, and that every source must report."""
HELD = {WEB: 3, SIX: 1, SCTP: 1}
"""How many of them it keeps open."""

CONFIGURATION = f"""
[[virtual_service]]
name = "web"
address = "{VIP}"
port = 80
scheduler = "wrr"
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.1"
forwarding = "masquerade"
upper_threshold = 500
lower_threshold = 400
[[virtual_service.real_server]]
address = "10.0.0.2"
forwarding = "masquerade"
weight = 3
[[virtual_service.real_server]]
address = "10.0.0.3"
weight = 0

[[virtual_service]]
name = "sticky"
address = "{VIP}"
port = 81
scheduler = "sh"
scheduler_flags = ["sh-port"]
persistence = {{ timeout = "5m" }}
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.1"
port = 80
forwarding = "masquerade"

[[virtual_service]]
name = "datagrams"
address = "{VIP}"
port = 80
protocol = "udp"
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.1"
forwarding = "masquerade"

[[virtual_service]]
name = "streams"
address = "{VIP}"
port = 80
protocol = "sctp"
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.2"
port = 5000
forwarding = "masquerade"
weight = 5

[[virtual_service]]
name = "six"
address = "{VIP6}"
port = 80
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "2001:db8::1"
forwarding = "masquerade"

[[virtual_service]]
name = "bulk"
address = "{VIP}"
port = 9000
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.2"
forwarding = "masquerade"

[[virtual_service]]
name = "marked"
fwmark = 10
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.1"
forwarding = "masquerade"

[[virtual_service]]
name = "marked six"
fwmark = 10
family = "inet6"
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "2001:db8::1"
forwarding = "masquerade"
weight = 7
"""


@contextmanager
def every_kind(directory: Path) -> Iterator[Cluster]:
    """Within the block the agent runs on a director whose services have the connections of ``CONNECTIONS``."""
    with Cluster(servers=3, directory=directory) as cluster, ExitStack() as held:
        director = cluster.director
        for address in (VIP, VIP6, MARKED, MARKED6):
            director.add_address(address)
        for address in (MARKED, MARKED6):
            director.mark(address, port=80, mark=10)
        for server in cluster.servers[:2]:
            server.accept_masqueraded()
            server.serve(udp=[server.address])
        _start_sink(cluster.servers[1])
        agent = Agent(director, directory)
        agent.configure(CONFIGURATION, listen=f"0.0.0.0:{PORT}")
        agent.start()
        director.run("ipvsadm", "-A", "-t", FOREIGN, "-s", "lblc")
        director.run("ipvsadm", "-a", "-t", FOREIGN, "-r", "10.0.0.3:443", "-g", "-w", "9")
        director.run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", DEVICE, "--syncid", "7")
        _make_traffic(cluster, held)
        yield cluster


def _start_sink(server: RealServer) -> None:
    """Take SCTP on port 5000 and much of TCP on port 9000."""
    command = (sys.executable, Path(__file__).with_name("sink.py"), "--address", server.address)
    process = server.start(*command, "--sctp", "5000", "--tcp", "9000", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def _make_traffic(cluster: Cluster, held: ExitStack) -> None:
    """Every connection of ``CONNECTIONS``, those of ``HELD`` until ``held`` ends."""
    client = cluster.client
    for row, address in ((WEB, VIP), (SIX, f"[{VIP6}]"), (MARK, MARKED), (MARK6, f"[{MARKED6}]")):
        for _ in range(CONNECTIONS[row] - HELD.get(row, 0)):
            assert client.get(f"http://{address}/name").status == 200
    for _ in range(CONNECTIONS[STICKY]):
        assert client.get(f"http://{VIP}:81/name").body == "rs1"
    for number in range(CONNECTIONS[UDP]):
        assert client.ask(VIP, 80, str(number)) == f"rs1 {number}"
    for row, address in ((WEB, VIP), (SIX, VIP6)):
        for _ in range(HELD[row]):
            with client.inside():
                held.enter_context(socket.create_connection((address, 80)))
    with client.inside():
        streams = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP) for _ in range(3)]
    for number, stream in enumerate(streams):
        stream.connect((VIP, 80))
        stream.sendall(b"hello")
        assert stream.recv(10) == b"hello"
        if number < HELD[SCTP]:
            held.enter_context(stream)
        else:
            stream.close()
    _send_much(cluster)


def _send_much(cluster: Cluster) -> None:
    """``BULK_BYTES`` over one connection, from a file without contents."""
    with cluster.client.inside():
        connection = socket.create_connection((VIP, 9000))
    nothing = os.memfd_create("nothing")
    os.truncate(nothing, 1 << 30)
    sent = 0
    while sent < BULK_BYTES:
        sent += os.sendfile(connection.fileno(), nothing, 0, min(1 << 30, BULK_BYTES - sent))
    os.close(nothing)
    connection.shutdown(socket.SHUT_WR)
    # The other side closes when it has everything.
    assert connection.recv(1) == b""
    connection.close()
