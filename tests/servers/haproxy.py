"""HAProxy with one server that it checks, and whose agent it asks."""

from __future__ import annotations

import csv
import io
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, free_port, home, running

_CONFIG = """
global
    stats socket {directory}/stats level admin
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend front
    bind {address}:{front}
    default_backend back
backend back
    server one {address}:{well} weight 100 check inter 100ms agent-check agent-port {agent} agent-inter 20ms
"""


class Seen(NamedTuple):
    """What HAProxy makes of its server: its state, without what stands behind it, and its weight."""

    state: str
    weight: int


class _Agent(socketserver.ThreadingTCPServer):
    """Says ``line`` to whoever comes, and counts them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.line = b"up\n"
        self.asked = 0
        self.news = threading.Condition()
        super().__init__((ADDRESS, port), _Visit)


class _Visit(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        agent = self.server
        if isinstance(agent, _Agent):
            self.request.sendall(agent.line)
            with agent.news:
                agent.asked += 1
                agent.news.notify_all()


class HaProxy:
    """The daemon and the agent that it asks."""

    def __init__(self, directory: Path, agent: _Agent) -> None:
        self._stats = directory / "stats"
        self._agent = agent

    def told(self, line: str) -> Seen:
        """What HAProxy makes of ``line``, where the agent has said before that all is well."""
        self._say("ready up 100%")
        self._say(line)
        with socket.socket(socket.AF_UNIX) as stats:
            stats.connect(str(self._stats))
            stats.sendall(b"show stat\n")
            text = b"".join(iter(lambda: stats.recv(65_536), b"")).decode()
        rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
        row = next(row for row in rows if row["svname"] == "one")
        return Seen(row["status"].split()[0], int(row["weight"]))

    def _say(self, line: str) -> None:
        """Have ``line`` be heard: of two visits after it was set, the first may still be one from before."""
        with self._agent.news:
            self._agent.line = f"{line}\n".encode()
            until = self._agent.asked + 3
            if not self._agent.news.wait_for(lambda: self._agent.asked >= until, timeout=10):
                raise TimeoutError("HAProxy has not asked its agent")


@contextmanager
def haproxy() -> Iterator[HaProxy]:
    """The daemon, with a healthy server."""
    with home("haproxy") as directory, socket.create_server((ADDRESS, 0)) as well:
        agent, front = free_port(), free_port()
        config = directory / "haproxy.cfg"
        ports = {"well": well.getsockname()[1], "agent": agent, "front": front}
        config.write_text(_CONFIG.format(directory=directory, address=ADDRESS, **ports))
        with _Agent(agent) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            try:
                with running(["haproxy", "-db", "-f", str(config)], home=directory, ready=front):
                    yield HaProxy(directory, server)
            finally:
                server.shutdown()
                thread.join()
