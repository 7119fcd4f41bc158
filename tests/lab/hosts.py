"""The hosts of scenario tests: what one can do on them.  ``tests.lab.net`` puts them on a network."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from tests.forkserver import LOAD, SERVER, Program, is_ours
from tests.lab.namespace import ip, within

DEVICE = "eth0"
BARE_PYTHON = (sys.executable, "-S")
"""For programs that need nothing but the standard library: they start in half the time."""
_NEED_NO_FILES = {"ipvsadm", "tc"}
"""Programs that need neither the files of /etc/netns nor /sys of the namespace: ``ip netns exec`` takes 20 ms."""


class Answer(NamedTuple):
    """An HTTP response.  ``server`` is the name of the host that gave it, empty if it did not say."""

    status: int
    body: str
    server: str


@dataclass(slots=True)
class Load:
    """The results of a steady load; filled when its block ends."""

    served: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


class Host:
    """A host of a ``Network``.  ``namespace`` is what ``ip netns`` calls it."""

    def __init__(self, *, name: str, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self._processes: list[subprocess.Popen[str]] = []

    def run(self, *command: str | Path, text: str | None = None, check: bool = True) -> str:
        """Run a command on this host and give its output.  Raises RuntimeError with what it said where it fails."""
        process = self._begun(
            command,
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = process.communicate(text)
        if check and process.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, command))}: status {process.returncode}: {said}")
        return said

    def start(
        self,
        *command: str | Path,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        stderr: int | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a program on this host, in a process group of its own.  It is killed when the network ends."""
        variables = None if env is None else {**os.environ, **env}
        process = self._begun(command, stdin=stdin, stdout=stdout, stderr=stderr, env=variables, start_new_session=True)
        self._processes.append(process)
        return process

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within the block this thread is on this host: sockets made in it stay here."""
        with within(self.namespace):
            yield

    def sysctl(self, name: str, value: int | str) -> None:
        """Set e.g. ``net/ipv4/ip_forward``."""
        with self.inside():
            Path("/proc/sys", name).write_text(str(value))

    def add_address(self, *addresses: str, device: str = DEVICE) -> None:
        """Own more addresses (without a prefix length: only those)."""
        ip(self.namespace, *(f"address add {one} dev {device}{' nodad' * (':' in one)}" for one in addresses))

    def mark(self, address: str, *, port: int, mark: int, protocol: str = "tcp") -> None:
        """Give incoming packets to ``address`` and ``port`` the firewall mark ``mark``."""
        family = "ip" if ip_address(address).version == 4 else "ipv6"
        self.run("tc", "qdisc", "add", "dev", DEVICE, "ingress", check=False)
        rule = f"protocol {family} flower ip_proto {protocol} dst_ip {address} dst_port {port}"
        action = f"action skbedit mark {mark}"
        self.run("tc", "filter", "add", "dev", DEVICE, "parent", "ffff:", *rule.split(), *action.split())

    def table(self) -> list[str]:
        """The lines of ``ipvsadm -S -n``, sorted."""
        return sorted(line.strip() for line in self.run("ipvsadm", "-S", "-n").splitlines())

    def get(self, url: str, *, timeout_s: float = 3.0) -> Answer:
        """One HTTP request from this host.  Raises OSError (TimeoutError, ConnectionRefusedError, ...)."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
        try:
            with self.inside():
                connection.connect()
            connection.request("GET", urlunsplit(parts._replace(scheme="", netloc="")) or "/")
            response = connection.getresponse()
            body = response.read().decode()
            return Answer(response.status, body, response.getheader("Real-Server", ""))
        finally:
            connection.close()

    def ask(self, address: str, port: int, text: str, *, timeout_s: float = 3.0) -> str:
        """Send one datagram from a socket of its own, and give the answer.  Raises OSError."""
        family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
        with self.inside(), socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(timeout_s)
            client.connect((address, port))
            client.send(text.encode())
            return client.recv(65_535).decode()

    @contextmanager
    def load(self, url: str, *, rate: float = 100.0, timeout_s: float = 8.0) -> Iterator[Load]:
        """Within the block ``rate`` requests a second go out from here, each on a new connection.

        The time limit leaves room for packets that a kernel without time to spare drops, and that are sent again after
        1 and 3 s.  A request that finds no service or no server fails at once.
        """
        load = Load()
        options = ("--rate", str(rate), "--timeout", str(timeout_s))
        process = self.start(*LOAD, url, *options, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        _await_ready(process)
        yield load
        output, _ = process.communicate("")
        found = json.loads(output)
        load.served, load.failures = found["served"], found["failures"]

    def close(self, *, but: subprocess.Popen[str] | None = None) -> None:
        """Kill what was started here."""
        for process in self._processes:
            if process is not but:
                _kill(process)
        self._processes = [process for process in self._processes if process is but]

    def _begun(self, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
        words = self._wrapped([str(word) for word in command])
        if is_ours(words):
            return Program(words, namespace=self.namespace, text=True, **options)
        if words[0] in _NEED_NO_FILES or tuple(words[:2]) == BARE_PYTHON:
            with self.inside():
                return subprocess.Popen(words, text=True, **options)
        return subprocess.Popen(["ip", "netns", "exec", self.namespace, *words], text=True, **options)

    def _wrapped(self, command: list[str]) -> list[str]:
        """The command that runs ``command`` as programs run on this host."""
        return command


class RealServer(Host):
    """A host that serves.  ``directory`` holds its files, ``test.html`` with ``test`` in it to begin with."""

    def __init__(self, *, name: str, namespace: str, address: str, address6: str, directory: Path) -> None:
        super().__init__(name=name, namespace=namespace)
        self.address = address
        self.address6 = address6
        self.directory = directory
        self.server = Server(self)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "test.html").write_text("test\n")

    def accept_direct(self, *addresses: str) -> None:
        """Serve ``addresses`` by direct routing: have them, without answering ARP for them.

        IPv6 needs no more: a host answers its neighbours only for addresses of the device that receives the question.
        """
        self._keep_quiet()
        self.add_address(*addresses, device="lo")

    def accept_tunnelled(self, *addresses: str) -> None:
        """Serve IPv4 ``addresses`` that come in an IPIP tunnel."""
        self._keep_quiet()
        ip(self.namespace, f"tunnel add tunl1 mode ipip local {self.address}", "link set tunl1 up")
        for device in ("all", "tunl1"):
            self.sysctl(f"net/ipv4/conf/{device}/rp_filter", 0)
        self.add_address(*addresses, device="tunl1")

    def accept_masqueraded(self) -> None:
        """Answer clients through the director, even if it sends redirects because they are on the same network."""
        self.sysctl(f"net/ipv6/conf/{DEVICE}/accept_redirects", 0)
        gateways = (("10.1.0.0/24", "10.0.0.254"), ("2001:db8:1::/64", "2001:db8::fe"))
        ip(self.namespace, *(f"route replace {network} via {gateway}" for network, gateway in gateways))

    def serve(self, *, port: int = 80, udp: Sequence[str] = ()) -> None:
        """Start the server: HTTP on every address, datagrams on those of ``udp``."""
        self.server.port, self.server.udp = port, tuple(udp)
        self.server.start()

    def recover(self) -> None:
        """Restore the state after ``serve``: its files, its server, and nothing else."""
        (self.directory / "test.html").write_text("test\n")
        running = self.server.running
        self.close(but=running)
        if running is None:
            self.server.start()
        else:
            self.server.resume()

    def _keep_quiet(self) -> None:
        self.sysctl("net/ipv4/conf/all/arp_ignore", 1)
        self.sysctl("net/ipv4/conf/all/arp_announce", 2)


class Server:
    """The server process of a ``RealServer``."""

    def __init__(self, host: RealServer) -> None:
        self._host = host
        self._process: subprocess.Popen[str] | None = None
        self.port = 80
        self.udp: tuple[str, ...] = ()

    @property
    def running(self) -> subprocess.Popen[str] | None:
        """The process that was started and has not ended; it may hang."""
        return self._process if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Serve; returns when everything listens."""
        host = self._host
        command = (*SERVER, "--name", host.name, "--directory", host.directory)
        udp = [word for address in self.udp for word in ("--udp", address)]
        self._process = host.start(*command, "--port", str(self.port), *udp, stdout=subprocess.PIPE)
        _await_ready(self._process)

    def stop(self) -> None:
        """End it: connections are refused from now on."""
        if self._process is not None:
            _kill(self._process)

    def pause(self) -> None:
        """Let it hang: its kernel accepts connections, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it continue."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def _await_ready(process: subprocess.Popen[str]) -> None:
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{process.args!r} did not start")


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
