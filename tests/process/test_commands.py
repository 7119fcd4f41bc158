"""Command checks in a running agent."""

from __future__ import annotations

import os
from pathlib import Path

from tests.process.conftest import ConfigFile, StartAgent


def test_as_many_commands_run_at_once_as_configured(config: ConfigFile, start: StartAgent, tmp_path: Path) -> None:
    """The agent's own key reaches the process that runs commands."""
    ran = tmp_path / "ran"
    script = f"echo begin >> {ran}; sleep 0.05; echo end >> {ran}"
    user = 'user = "root"' if os.geteuid() == 0 else ""
    servers = ", ".join(f'{{ address = "127.0.0.1", port = {port} }}' for port in (1, 2, 3))
    agent = start(
        config.replace(f"""
agent = {{ state_dir = "state", command_concurrency = 1 }}
[[virtual_service]]
address = "192.0.2.1"
port = 80
forwarding = "masquerade"
real_server = [{servers}]
[virtual_service.check]
type = "command"
command = ["/bin/sh", "-c", "{script}"]
interval = "50ms"
timeout = "5s"
{user}
""")
    )
    agent.until(lambda: ran.exists() and len(ran.read_text().splitlines()) >= 12)
    agent.end()

    assert ran.read_text().splitlines()[:12] == ["begin", "end"] * 6
