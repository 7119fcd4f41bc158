"""What is installed beside the program: units of systemd and scripts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNITS = {
    "lvs-agent.service": "lvs-agent.service",
    "lvs-agent@.service": "lvs-agent@ldirectord.cf.service",
    "lvs-agent-exporter.service": "lvs-agent-exporter.service",
}
"""Each unit, and a name by which it is started."""
SCRIPTS = ("packaging/ocf/lvs-agent", "scripts/setup")
MAX_EXPOSURE = 50
"""What ``systemd-analyze security`` may find at most, of 100."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it would be installed, but for where the program is."""
    text = (ROOT / "packaging" / "systemd" / request.param).read_text(encoding="utf-8")
    path = tmp_path / UNITS[request.param]
    path.write_text(text.replace("/usr/bin/lvs-agent ", f"{Path(sys.executable).with_name('lvs-agent')} "))
    return path


@needs_systemd
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path) -> None:
    """Not one word about it; what it says of other units on this machine is their business."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "lvs-agent" in line] == []


@needs_systemd
def test_unit_gives_away_little(unit: Path) -> None:
    """The sandbox stays as tight as it is."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_restart_of_a_unit_keeps_the_table(unit: Path) -> None:
    """The signal that says so is sent at a restart and at no other time, and to the agent alone."""
    lines = unit.read_text().splitlines()

    assert {"RestartKillSignal=SIGQUIT", "KillMode=mixed", "Type=notify"} <= set(lines)
    assert not any(line.startswith("KillSignal=") for line in lines)


def test_unit_for_ldirectord_cf_and_ldirectord_exclude_each_other() -> None:
    """Two that drive one table would undo each other's changes; the first must have ended when the second starts."""
    text = (ROOT / "packaging" / "systemd" / "lvs-agent@.service").read_text(encoding="utf-8")

    assert re.search(r"^Conflicts=ldirectord\.service$", text, re.MULTILINE)
    assert re.search(r"^After=.*\bldirectord\.service\b", text, re.MULTILINE)
    assert "ReadWritePaths=-/var/log" in text


def test_exporter_has_a_user_of_its_own_and_one_capability() -> None:
    """Who only reads the table needs no more; and it does not run beside an agent that makes it, on the same port."""
    text = (ROOT / "packaging" / "systemd" / "lvs-agent-exporter.service").read_text(encoding="utf-8")
    lines = set(text.splitlines())

    assert {"DynamicUser=yes", "CapabilityBoundingSet=CAP_NET_ADMIN", "AmbientCapabilities=CAP_NET_ADMIN"} <= lines
    assert {"Conflicts=lvs-agent.service", "ExecStart=/usr/bin/lvs-agent run --observe $LVS_AGENT_OPTIONS"} <= lines
    assert "StateDirectory" not in text


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck; make test installs it")
@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_finds_nothing_wrong_with_a_script(script: str) -> None:
    """At its strictest, but for what only a reader can know."""
    done = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_resource_agent_may_be_executed_by_everybody() -> None:
    """Clusters ask it for its meta-data as an ordinary user."""
    assert (ROOT / "packaging" / "ocf" / "lvs-agent").stat().st_mode & 0o555 == 0o555
