"""What a command imports: the time that it needs to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lvs_agent.checks.kinds import checkers

ROOT = Path(__file__).parents[2]
HEAVY = {"cryptography", "httpx", "jinja2", "prometheus_client", "pyroute2", "rich", "starlette", "uvicorn"}
KINDS = "lvs_agent.checks.kinds"
PING = {f"{KINDS}.ping"}


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


def test_nothing_of_ldirectord_is_imported_for_a_file_in_toml() -> None:
    """Reading an ldirectord.cf takes some forty modules, which every other start can do without."""
    script = "from lvs_agent.cli.main import cli; cli(['check-config', '--config', '{}'], standalone_mode=False)"
    found = imported(script.format(ROOT / "config.toml.example"))

    assert "lvs_agent.config.load" in found
    assert not any(name.startswith("lvs_agent.ldirectord") for name in found)


def test_no_checker_is_imported_before_it_is_configured() -> None:
    """The daemon and its engine know no kind of check; one that has a configuration brings its own modules only."""
    of_checkers = {f"lvs_agent.checks.net.{name}" for name in ("dialogue", "tls")}
    before = imported("import lvs_agent.cli.run, lvs_agent.daemon")
    after = imported(
        "from lvs_agent.checks.kinds import checkers; from lvs_agent.checks.engine import engine; checkers()['ping']"
    )

    assert not before & of_checkers
    assert not any(name.startswith(f"{KINDS}.") for name in before)
    assert {name for name in after if name.startswith(f"{KINDS}.")} == PING


def test_looking_for_kinds_imports_none_of_them() -> None:
    """The names of all kinds are known from the names of their files; what kinds share is not one of them."""
    script = "from lvs_agent.checks.kinds import checkers; names = list(checkers())"
    found = imported(script)

    assert "http" in checkers()
    assert not any(name.startswith("_") for name in checkers())
    assert not any(name.startswith(f"{KINDS}.") for name in found)
    assert not any(name.startswith(("lvs_agent.commands", "lvs_agent.checks.net")) for name in found)


@pytest.mark.parametrize("kind", checkers())
def test_every_module_among_the_kinds_is_one(kind: str) -> None:
    """A module whose name begins with no underscore has what makes a checker."""
    assert checkers()[kind].kind == kind


def imported(statement: str) -> set[str]:
    """The modules that there are after ``statement`` in a new process."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())
