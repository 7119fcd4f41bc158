"""One boot of the machine for all tests here: they look at the facts that the scenario has collected in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LAB = ROOT / "tests" / "lab" / "lab"
MACHINE = Path(__file__).with_name("machine")
INSIDE = ("tests/__init__.py", "tests/machine/__init__.py", "tests/machine/looking.py", "tests/machine/scenario.py")
"""What runs in the machine."""
MACHINE_FAILED = 125
Facts = dict[str, dict[str, Any]]
"""For each step of the scenario, what was found."""


def _is_possible() -> bool:
    """Whether the machine can boot here; where it has not been built, only root can build it."""
    return _is_ready(LAB) and (_is_ready(MACHINE) or os.geteuid() == 0)


def _is_ready(program: Path) -> bool:
    return subprocess.run([program, "ready"], check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """What the scenario found.  The machine is built first where that is necessary: that takes about a minute."""
    if not _is_possible():
        hint = f"needs a machine that boots with systemd; see CONTRIBUTING.md, or run as root: {LAB} fetch"
        if os.environ.get("CI") == "true":
            pytest.fail(hint)
        pytest.skip(hint)
    # Once more if the machine itself has failed, as for the tests in the lab kernel.
    for _ in range(2):
        outside = tmp_path_factory.mktemp("machine")
        done = _boot(outside)
        if done.returncode != MACHINE_FAILED:
            break
    if done.returncode != 0:
        pytest.fail(f"the machine ended with {done.returncode}: {done.stdout}{done.stderr}{_text(outside / 'output')}")
    found: Facts = json.loads((outside / "facts.json").read_text())
    return found


def _boot(outside: Path) -> subprocess.CompletedProcess[str]:
    (outside / "tests" / "machine").mkdir(parents=True)
    for name in INSIDE:
        shutil.copy(ROOT / name, outside / name)
    inside = outside / "inside"
    inside.write_text("#!/bin/sh\ncd /run/outside && exec python3 -m tests.machine.scenario\n")
    inside.chmod(0o755)
    environment = {"LVS_MACHINE_PYTHON": sys.executable, **os.environ}
    return subprocess.run([MACHINE, "run", outside], env=environment, capture_output=True, text=True, check=False)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
