"""Typical setups of a director, each with the agent on a real kernel and with requests that are answered."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lab.agent import Agent, until
from tests.lab.net import VIP, VIP6, Cluster

pytestmark = pytest.mark.ipvs

RS1, RS2, SORRY = "10.0.0.1", "10.0.0.2", "10.0.0.3"
CHECK = '{ type = "http", path = "/test.html", body_contains = "test", interval = "1s", rise = 1, fall = 1 }'
WEB = f"""
[[virtual_service]]
name = "web"
address = "{VIP}"
port = 80
scheduler = "wrr"
sorry_server = {{ address = "{SORRY}" }}
check = {CHECK}
[[virtual_service.real_server]]
address = "{RS1}"
weight = 1
[[virtual_service.real_server]]
address = "{RS2}"
weight = 3
"""
COUNTERS = ("connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes")
MARKED = f"""
[[virtual_service]]
name = "marked"
fwmark = 10
scheduler = "wrr"
check = {CHECK[:-2]}, port = 80 }}
[[virtual_service.real_server]]
address = "{RS1}"
weight = 1
[[virtual_service.real_server]]
address = "{RS2}"
weight = 3
"""


def names(cluster: Cluster, url: str = f"http://{VIP}", *, requests: int = 8) -> Counter[str]:
    """Who answered how many of the client's requests."""
    return Counter(cluster.client.get(f"{url}/name").body for _ in range(requests))


def serve_direct(cluster: Cluster, *addresses: str) -> None:
    """Let every real server serve ``addresses`` by direct routing."""
    for server in cluster.servers:
        server.accept_direct(*addresses)
        server.serve()


def destinations(cluster: Cluster) -> list[str]:
    """The addresses in the table, with their ports."""
    return [line.split(" -r ")[1].split()[0] for line in cluster.director.table() if " -r " in line]


def test_failing_servers_leave_and_come_back(cluster: Cluster, agent: Agent) -> None:
    """Requests follow the weights; an emptied page, and then no server at all, change who answers, and back again."""
    rs1, rs2, _ = cluster.servers
    serve_direct(cluster, VIP)
    agent.configure(WEB)
    agent.start()
    assert names(cluster) == {"rs1": 2, "rs2": 6}, agent.operations()

    (rs1.directory / "test.html").write_text("")
    until(lambda: destinations(cluster) == [f"{RS2}:80"], what="the server with the empty page left")
    assert names(cluster) == {"rs2": 8}
    assert agent.server(f"{RS1}:80")["checks"][0]["last"]["reason"] == "content"

    (rs1.directory / "test.html").write_text("test\n")
    until(lambda: destinations(cluster) == [f"{RS1}:80", f"{RS2}:80"], what="it is back")
    assert names(cluster) == {"rs1": 2, "rs2": 6}, agent.operations()

    rs1.server.stop()
    rs2.server.stop()
    until(lambda: destinations(cluster) == [f"{SORRY}:80"], what="the sorry server is alone")
    assert names(cluster) == {"rs3": 8}
    assert agent.metric("lvs_virtual_service_sorry_server_active", virtual_service="web") == 1

    rs1.server.start()
    until(lambda: destinations(cluster) == [f"{RS1}:80"], what="the sorry server left")
    assert names(cluster) == {"rs1": 8}
    until(  # scrapes within a second are the same
        lambda: agent.metric("lvs_virtual_service_sorry_server_active", virtual_service="web") == 0,
        what="the metrics tell it too",
    )


def test_table_is_never_empty_while_somebody_can_serve(cluster: Cluster, agent: Agent) -> None:
    """In the order of the operations, no server is removed before another one is in service."""
    rs1, rs2, _ = cluster.servers
    serve_direct(cluster, VIP)
    agent.configure(WEB)
    agent.start()
    rs1.server.stop()
    rs2.server.stop()
    until(lambda: destinations(cluster) == [f"{SORRY}:80"], what="the sorry server is alone")
    rs2.server.start()
    until(lambda: destinations(cluster) == [f"{RS2}:80"], what="the sorry server left")

    present: set[str] = set()
    filled = False
    for operation in agent.operations():
        match operation["operation"]:
            case "add_destination":
                present.add(operation["real_server"])
                filled = True
            case "delete_destination":
                present.remove(operation["real_server"])
        assert present or not filled


def test_marked_ports_are_one_service_with_persistence(cluster: Cluster, agent: Agent) -> None:
    """Two ports under one mark follow the weights; with persistence every request of a client stays on one server."""
    for server in cluster.servers:
        server.accept_direct(VIP)
        server.serve(port=443)
        server.serve(port=80)
    for port in (80, 443):
        cluster.director.mark(VIP, port=port, mark=10)
    agent.configure(MARKED)
    agent.start()
    assert names(cluster) + names(cluster, f"http://{VIP}:443") == {"rs1": 4, "rs2": 12}

    agent.reload(MARKED.replace("fwmark = 10", 'fwmark = 10\npersistence = { timeout = "600s" }'))

    assert "-A -f 10 -s wrr -p 600" in cluster.director.table()
    once = names(cluster, requests=10) + names(cluster, f"http://{VIP}:443", requests=10)
    assert len(once) == 1
    with pytest.raises(ConnectionRefusedError):
        cluster.client.get(f"http://{VIP}:81/name")


def test_masquerading_maps_ports(cluster: Cluster, agent: Agent) -> None:
    """Port 80 of the virtual address is port 8080 of the servers, which are checked there too."""
    for server in cluster.servers:
        server.accept_masqueraded()
        server.serve(port=8080)
    text = WEB.replace('scheduler = "wrr"', 'scheduler = "rr"\nforwarding = "masquerade"')
    agent.configure(text.replace("weight =", "port = 8080\nweight ="))
    agent.start()

    assert names(cluster) == {"rs1": 4, "rs2": 4}
    assert destinations(cluster) == [f"{RS1}:8080", f"{RS2}:8080"]


def test_ipip_tunnel(cluster: Cluster, agent: Agent) -> None:
    """Packets reach the servers inside others, and answers go straight to the client."""
    for server in cluster.servers:
        server.accept_tunnelled(VIP)
        server.serve()
    agent.configure(WEB.replace('scheduler = "wrr"', 'scheduler = "wrr"\nforwarding = "tunnel"'))
    agent.start()

    assert names(cluster) == {"rs1": 2, "rs2": 6}
    assert all(" -i " in line for line in cluster.director.table() if " -r " in line)


def test_direct_routing_of_ipv6(cluster: Cluster, agent: Agent) -> None:
    """The same with addresses of IPv6, checked over IPv6."""
    serve_direct(cluster, VIP6)
    text = WEB.replace(VIP, VIP6).replace(RS1, "2001:db8::1").replace(RS2, "2001:db8::2").replace(SORRY, "2001:db8::3")
    agent.configure(text)
    agent.start()
    assert names(cluster, f"http://[{VIP6}]") == {"rs1": 2, "rs2": 6}

    cluster.servers[1].server.stop()
    until(lambda: destinations(cluster) == ["[2001:db8::1]:80"], what="the stopped server left")
    assert names(cluster, f"http://[{VIP6}]") == {"rs1": 8}


def test_one_packet_scheduling_of_datagrams(cluster: Cluster, agent: Agent) -> None:
    """Each datagram is scheduled alone; the servers are checked by ping."""
    for server in cluster.servers:
        server.accept_direct(VIP)
        server.serve(udp=[VIP])
    text = WEB.replace('scheduler = "wrr"', 'scheduler = "wrr"\nprotocol = "udp"\none_packet = true')
    agent.configure(text.replace(CHECK, '{ type = "ping", interval = "1s", rise = 1, fall = 1 }'))
    agent.start()

    answers = Counter(cluster.client.ask(VIP, 80, "hello") for _ in range(8))
    assert answers == {"rs1 hello": 2, "rs2 hello": 6}
    # The kernel itself adds its counters up only every two seconds.
    until(
        lambda: agent.metric("lvs_virtual_service_connections_total", virtual_service="web") == 8,
        what="eight datagrams are counted",
    )

    cluster.director.run("ip", "route", "add", "prohibit", f"{RS2}/32")
    until(lambda: bool(agent.events("check_not_possible")), what="our own missing route is an error")
    assert agent.server(f"{RS2}:80")["health"] == "up"


def test_counters_are_the_kernels(cluster: Cluster, agent: Agent) -> None:
    """What /metrics says of the traffic is what ipvsadm says, for our services and for foreign ones."""
    serve_direct(cluster, VIP)
    cluster.director.run("ipvsadm", "-A", "-t", f"{VIP}:8080", "-s", "rr")
    cluster.director.run("ipvsadm", "-a", "-t", f"{VIP}:8080", "-r", f"{RS1}:8080", "-g", "-w", "7")
    agent.configure(WEB)
    agent.start()
    names(cluster, requests=20)

    def told_by_ipvsadm() -> list[float]:
        table = cluster.director.run("ipvsadm", "-L", "-n", "--stats", "--exact").splitlines()
        row = next(line.split() for line in table if f"{VIP}:80 " in line)
        return [float(word) for word in row[2:]]

    def exported() -> list[float]:
        return [agent.metric(f"lvs_virtual_service_{kind}_total", virtual_service="web") for kind in COUNTERS]

    # The kernel itself adds its counters up only every two seconds.
    until(lambda: told_by_ipvsadm()[0] == 20, what="the kernel has counted")
    until(lambda: exported() == told_by_ipvsadm(), what="both say the same")
    assert agent.metric("lvs_real_server_weight", virtual_service=f"tcp/{VIP}:8080") == 7
    assert agent.metric("lvs_agent_collector_success") >= 2


def test_sorry_server_that_is_a_real_server_too(cluster: Cluster, agent: Agent) -> None:
    """A real server that serves as the sorry server is in the table whether it passes its check or not."""
    rs1, rs2, _ = cluster.servers
    serve_direct(cluster, VIP)
    agent.configure(WEB.replace(SORRY, RS1))
    agent.start()
    assert names(cluster) == {"rs1": 2, "rs2": 6}

    (rs1.directory / "test.html").write_text("")
    rs2.server.stop()
    until(lambda: destinations(cluster) == [f"{RS1}:80"], what="only the sorry server is left")
    assert names(cluster) == {"rs1": 8}

    (rs1.directory / "test.html").write_text("test\n")
    rs2.server.start()
    until(lambda: destinations(cluster) == [f"{RS1}:80", f"{RS2}:80"], what="both are back")
    assert names(cluster) == {"rs1": 2, "rs2": 6}


def test_quiesced_server_keeps_its_place_at_weight_0(cluster: Cluster, agent: Agent) -> None:
    """With on_down = "quiesce" a server that is down stays in the table and gets no new connection."""
    serve_direct(cluster, VIP)
    agent.configure(WEB.replace('scheduler = "wrr"', 'scheduler = "wrr"\non_down = "quiesce"'))
    agent.start()

    cluster.servers[0].server.stop()
    until(lambda: any(f"{RS1}:80 -g -w 0" in line for line in cluster.director.table()), what="it has weight 0")
    assert names(cluster) == {"rs2": 8}
    assert agent.server(f"{RS1}:80")["membership"] == "quiesced"
