"""Hosts and networks for scenario tests: every host a network namespace, all of them on one switch.

For tests marked ``ipvs`` (they are root on a kernel with IPVS).  A ``Cluster`` is the usual setting::

    with Cluster(servers=2, directory=tmp_path) as cluster:
        cluster.director.add_address(VIP)
        for server in cluster.servers:
            server.accept_direct(VIP)                    # or accept_tunnelled(VIP), accept_masqueraded()
            server.serve()                               # HTTP on port 80, files from directory/<name>
        cluster.director.run("ipvsadm", "-A", "-t", f"{VIP}:80", "-s", "wrr")
        cluster.director.start(sys.executable, "-m", "lvs_agent", "run", ...)   # ends with the cluster
        assert cluster.client.get(f"http://{VIP}/name").body == "rs1"
        cluster.servers[0].server.pause()                # hangs; resume(), stop() (refuses), start()
        with cluster.client.load(f"http://{VIP}/name") as load:
            ...
        assert load.failures == []
        assert cluster.director.table() == ["-A -t ...", ...]

Addresses: clients live in 10.1.0.0/24 and 2001:db8:1::/64, real servers in 10.0.0.0/24 and 2001:db8::/64, the
director in both.  Real servers answer clients directly, or after ``accept_masqueraded`` through the director.
Everything ends with the ``with`` block: processes (in their whole group), namespaces, interfaces.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.hosts import DEVICE, Host, RealServer
from tests.lab.namespace import ip

VIP, VIP6 = "10.1.0.100", "2001:db8:1::100"
_CLIENTS = ("10.1.0.0/24", "2001:db8:1::/64")
_networks = count(1)


class Network:
    """A switch, and the hosts on it."""

    def __init__(self) -> None:
        self._prefix = f"lvs{os.getpid()}-{next(_networks)}-"
        self._switch = f"{self._prefix}switch"
        self._ports = count(1)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._add_namespace(self._switch)
        ip(self._switch, "link set lo up", "link add br0 type bridge forward_delay 0", "link set br0 up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, host: Host, *addresses: str, routes: Sequence[str] = ()) -> None:
        """Plug ``host`` in.  ``addresses`` have prefix lengths; ``routes`` are networks on the switch."""
        port = f"port{next(self._ports)}"
        self._add_namespace(host.namespace)
        self._stack.callback(host.close)
        # There are no duplicate addresses here: use them at once.
        host.sysctl("net/ipv6/conf/default/accept_dad", 0)
        ip(
            host.namespace,
            "link set lo up",
            f"link add {DEVICE} type veth peer name {port} netns {self._switch}",
            f"link set {DEVICE} up",
            *(f"address add {address} dev {DEVICE}{' nodad' * (':' in address)}" for address in addresses),
            *(f"route add {network} dev {DEVICE}" for network in routes),
        )
        ip(self._switch, f"link set {port} master br0 up")

    def namespace_of(self, name: str) -> str:
        """The namespace that a host called ``name`` has in this network."""
        return f"{self._prefix}{name}"

    def _add_namespace(self, name: str) -> None:
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=True)


class Cluster(Network):
    """A client, a director and some real servers: ``rs1``, ``rs2``, ...

    ``directory`` is where the real servers' files go, each in a directory of its name.
    """

    def __init__(self, *, servers: int, directory: Path) -> None:
        super().__init__()
        self.client = Host(name="client", namespace=self.namespace_of("client"))
        self.director = Host(name="director", namespace=self.namespace_of("director"))
        self.servers = [self._real_server(number, directory) for number in range(1, servers + 1)]

    def __enter__(self) -> Self:
        super().__enter__()
        self.add(self.client, "10.1.0.1/24", "2001:db8:1::1/64")
        self.add(self.director, "10.0.0.254/24", "10.1.0.254/24", "2001:db8::fe/64", "2001:db8:1::fe/64")
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            self.director.sysctl(f"net/{name}", 1)
        for device in ("all", DEVICE):
            # Both networks are on one switch here, and the director must not send redirects because of that.
            self.director.sysctl(f"net/ipv4/conf/{device}/send_redirects", 0)
        for server in self.servers:
            self.add(server, f"{server.address}/24", f"{server.address6}/64", routes=_CLIENTS)
        return self

    def _real_server(self, number: int, directory: Path) -> RealServer:
        name = f"rs{number}"
        return RealServer(
            name=name,
            namespace=self.namespace_of(name),
            address=f"10.0.0.{number}",
            address6=f"2001:db8::{number:x}",
            directory=directory / name,
        )
