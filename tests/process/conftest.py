"""Directories and processes for the tests of the whole agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.process.agent import Agent
from tests.process.servers import RealServer

INTERVAL_S = 0.2
HANGING_PROGRAM = """
[[virtual_service]]
name = "programs"
address = "192.0.2.9"
port = 80
forwarding = "masquerade"
check = { type = "command", command = ["/bin/sleep", "77"], interval = "0.3s", timeout = "60s" }
[[virtual_service.real_server]]
address = "127.0.0.1"
port = 1
"""
"""A virtual service whose check is a program, ``sleep``, that does not end."""

StartAgent = Callable[..., Agent]
StartServers = Callable[[int], list[RealServer]]


class ConfigFile:
    """A configuration with one virtual service "web", written like an editor does: beside the file, then renamed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(
        self,
        servers: Iterable[RealServer] = (),
        *,
        sorry: RealServer | None = None,
        timeout: str = f"{INTERVAL_S}s",
        check: str = "",
        agent: str = "",
        more: str = "",
    ) -> Path:
        """One real server in each line; ``check`` and ``agent``: keys of these tables; ``more``: text at the end."""
        check = f'interval = "{INTERVAL_S}s", timeout = "{timeout}", rise = 1, fall = 1{", " if check else ""}{check}'
        lines = [
            f'agent = {{ state_dir = "state", reconcile_interval = "1s"{", " if agent else ""}{agent} }}',
            "[[virtual_service]]",
            'name = "web"',
            'address = "192.0.2.1"',
            "port = 80",
            'scheduler = "wrr"',
            'forwarding = "masquerade"',
            f'check = {{ type = "http", {check} }}',
        ]
        if sorry is not None:
            lines.append(f'sorry_server = {{ address = "127.0.0.1", port = {sorry.port} }}')
        for server in servers:
            lines += ["[[virtual_service.real_server]]", 'address = "127.0.0.1"', f"port = {server.port}"]
        return self.replace("\n".join([*lines, more, ""]))

    def replace(self, text: str) -> Path:
        """Put ``text`` in the file's place."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.path)
        return self.path


@pytest.fixture
def config(tmp_path: Path) -> ConfigFile:
    """A configuration file to be written."""
    return ConfigFile(tmp_path / "config.toml")


@pytest.fixture
def start() -> Iterator[StartAgent]:
    """Starts agents that end with the test, and that must have written nothing but lines of a log."""
    agents: list[Agent] = []
    with ExitStack() as stack:

        def one(config: Path, *arguments: str, **options: Any) -> Agent:
            agents.append(stack.enter_context(Agent(config, *arguments, **options)))
            return agents[-1]

        yield one
    assert "".join(line for agent in agents for line in agent.strange) == ""


@pytest.fixture
def real_servers() -> Iterator[StartServers]:
    """Starts real servers that end with the test."""
    with ExitStack() as stack:

        def some(count: int) -> list[RealServer]:
            servers = [RealServer() for _ in range(count)]
            for server in servers:
                stack.callback(server.close)
            return servers

        yield some


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A directory in which programs of other users may write."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o777)
        yield directory
