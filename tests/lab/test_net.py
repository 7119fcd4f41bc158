"""The lab itself: every way of forwarding really answers, with a table that ipvsadm made."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.net import VIP, VIP6, Cluster

pytestmark = pytest.mark.ipvs


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A client, a director that owns both virtual addresses, and two real servers."""
    with Cluster(servers=2, directory=tmp_path) as cluster:
        for address in (VIP, VIP6):
            cluster.director.add_address(address)
        yield cluster


def fill(cluster: Cluster, *rules: str) -> None:
    """Make the director's table."""
    cluster.director.run("ipvsadm", "-R", text="".join(f"{rule}\n" for rule in rules))


def names(cluster: Cluster, url: str, *, requests: int = 8) -> Counter[str]:
    """Who answered how many of the client's requests."""
    return Counter(cluster.client.get(f"{url}/name").body for _ in range(requests))


def test_direct_routing_splits_by_weight(cluster: Cluster) -> None:
    """Eight requests under wrr 1:3 are answered two to six, and the table saves as it was made."""
    rules = [
        f"-A -t {VIP}:80 -s wrr",
        f"-a -t {VIP}:80 -r 10.0.0.1:80 -g -w 1",
        f"-a -t {VIP}:80 -r 10.0.0.2:80 -g -w 3",
    ]
    fill(cluster, *rules)
    for server in cluster.servers:
        server.accept_direct(VIP)
        server.serve()

    assert names(cluster, f"http://{VIP}") == {"rs1": 2, "rs2": 6}
    assert cluster.client.get(f"http://{VIP}/test.html").body == "test\n"
    assert cluster.director.table() == rules


def test_direct_routing_of_ipv6(cluster: Cluster) -> None:
    """The same with addresses of IPv6."""
    fill(
        cluster,
        f"-A -t [{VIP6}]:80 -s rr",
        f"-a -t [{VIP6}]:80 -r [2001:db8::1]:80 -g",
        f"-a -t [{VIP6}]:80 -r [2001:db8::2]:80 -g",
    )
    for server in cluster.servers:
        server.accept_direct(VIP6)
        server.serve()

    assert names(cluster, f"http://[{VIP6}]") == {"rs1": 4, "rs2": 4}


def test_masquerading_maps_ports(cluster: Cluster) -> None:
    """Port 80 of the virtual address is port 8080 of the servers, and answers come back through the director."""
    fill(
        cluster,
        f"-A -t {VIP}:80 -s rr",
        f"-a -t {VIP}:80 -r 10.0.0.1:8080 -m",
        f"-a -t {VIP}:80 -r 10.0.0.2:8080 -m",
    )
    for server in cluster.servers:
        server.accept_masqueraded()
        server.serve(port=8080)

    assert names(cluster, f"http://{VIP}") == {"rs1": 4, "rs2": 4}


def test_ipip_tunnel(cluster: Cluster) -> None:
    """Packets reach the servers inside others, and answers go straight to the client."""
    fill(
        cluster,
        f"-A -t {VIP}:80 -s rr",
        f"-a -t {VIP}:80 -r 10.0.0.1:80 -i",
        f"-a -t {VIP}:80 -r 10.0.0.2:80 -i",
    )
    for server in cluster.servers:
        server.accept_tunnelled(VIP)
        server.serve()

    assert names(cluster, f"http://{VIP}") == {"rs1": 4, "rs2": 4}


def test_one_packet_scheduling_of_datagrams(cluster: Cluster) -> None:
    """Each datagram is scheduled alone, also from one and the same port."""
    fill(
        cluster,
        f"-A -u {VIP}:80 -s rr -o",
        f"-a -u {VIP}:80 -r 10.0.0.1:80 -g",
        f"-a -u {VIP}:80 -r 10.0.0.2:80 -g",
    )
    for server in cluster.servers:
        server.accept_direct(VIP)
        server.serve(udp=[VIP])

    answers = Counter(cluster.client.ask(VIP, 80, "hello") for _ in range(8))
    assert answers == {"rs1 hello": 4, "rs2 hello": 4}


def test_marked_ports_are_one_service(cluster: Cluster) -> None:
    """Two ports under one mark go to one table entry; a third port is not served."""
    fill(
        cluster,
        "-A -f 10 -s rr",
        "-a -f 10 -r 10.0.0.1:0 -g",
        "-a -f 10 -r 10.0.0.2:0 -g",
    )
    for port in (80, 443):
        cluster.director.mark(VIP, port=port, mark=10)
    for server in cluster.servers:
        server.accept_direct(VIP)
        server.serve(port=443)
        server.serve(port=80)

    assert names(cluster, f"http://{VIP}", requests=4) == {"rs1": 2, "rs2": 2}
    assert names(cluster, f"http://{VIP}:443", requests=4) == {"rs1": 2, "rs2": 2}
    with pytest.raises(ConnectionRefusedError):
        cluster.client.get(f"http://{VIP}:81/name")


def test_load_counts_what_fails(cluster: Cluster) -> None:
    """A steady load sees a server that hangs, one that refuses, and one that is back."""
    (server, _) = cluster.servers
    fill(cluster, f"-A -t {VIP}:80 -s rr", f"-a -t {VIP}:80 -r {server.address}:80 -g")
    server.accept_direct(VIP)
    server.serve()
    with cluster.client.load(f"http://{VIP}/name", rate=50, timeout_s=0.3) as load:
        time.sleep(0.2)
        server.server.pause()
        with pytest.raises(TimeoutError):
            cluster.client.get(f"http://{VIP}/name", timeout_s=0.5)
        server.server.resume()
        cluster.client.get(f"http://{VIP}/name")
        server.server.stop()
        with pytest.raises(ConnectionRefusedError):
            cluster.client.get(f"http://{VIP}/name")
        server.server.start()
        cluster.client.get(f"http://{VIP}/name")

    assert set(load.served) == {"rs1"}
    assert {failure.split()[2] for failure in load.failures} >= {"TimeoutError", "ConnectionRefusedError"}


def spoil(cluster: Cluster) -> None:
    """Start something that would never end."""
    with cluster:
        process = cluster.client.start("sleep", "600")
        assert cluster.namespace_of("") in cluster.director.run("ip", "netns", "list")
        raise Spoilt(process)


class Spoilt(Exception):
    """With the process that was started."""


def test_nothing_is_left_of_a_cluster(tmp_path: Path) -> None:
    """Namespaces and processes end with the block, also when it ends with an error."""
    cluster = Cluster(servers=1, directory=tmp_path)
    with pytest.raises(Spoilt) as caught:
        spoil(cluster)

    assert cluster.namespace_of("") not in "".join(path.name for path in Path("/run/netns").iterdir())
    assert caught.value.args[0].returncode is not None
