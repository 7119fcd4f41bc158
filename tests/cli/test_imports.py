"""What a command imports: the time that it needs to start."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import lvs_agent.checks

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
    assert {name.partition(".")[0] for name in imported(f"import {module}")} & HEAVY == needed


def test_no_checker_is_imported_before_it_is_configured() -> None:
    """The daemon and its engine know no kind of check; one that has a configuration brings its own modules only."""
    checkers = {module.name for module in pkgutil.iter_modules(lvs_agent.checks.__path__, "lvs_agent.checks.")}
    kinds = {f"lvs_agent.checks.{kind}" for kind in lvs_agent.checks.checkers()}
    of_checkers = {f"lvs_agent.checks.{name}" for name in ("dialogue", "fields", "tcp_steps", "tls")}
    before = imported("import lvs_agent.cli.run, lvs_agent.daemon")
    after = imported("from lvs_agent.checks import checkers, engine; checkers()['ping']")

    assert of_checkers <= checkers
    assert not before & (kinds | of_checkers)
    assert after & kinds == {"lvs_agent.checks.ping"}


def imported(statement: str) -> set[str]:
    """The modules that there are after ``statement`` in a new process."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())
