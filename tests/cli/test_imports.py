"""What a command imports: the time that it needs to start."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"cryptography", "httpx", "jinja2", "prometheus_client", "pyroute2", "rich", "starlette", "uvicorn"}


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        pytest.param("lvs_agent.cli.main", set(), id="the group"),
        pytest.param("lvs_agent.cli.run", set(), id="run"),
        pytest.param("lvs_agent.cli.check_config", set(), id="check-config"),
        pytest.param("lvs_agent.cli.plan", {"rich"}, id="plan"),
        pytest.param("lvs_agent.log, rich", {"rich"}, id="rich after the log"),
    ],
)
def test_nothing_is_imported_that_is_not_needed(module: str, needed: set[str]) -> None:
    """The agent checks its servers before it imports what draws pages and tables."""
    script = f"import sys, {module}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert set(run.stdout.split()) & HEAVY == needed
