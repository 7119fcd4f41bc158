"""What is installed beside the program: units of systemd, users, directories and scripts."""

from __future__ import annotations

import os
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
SCRIPTS = ("packaging/ocf/lvs-agent", "scripts/setup", "scripts/test", "tests/machine/machine")
MAX_EXPOSURE = 24
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


def test_exporter_has_one_capability() -> None:
    """Who only reads the table needs no more; and it does not run beside an agent that makes it, on the same port."""
    text = (ROOT / "packaging" / "systemd" / "lvs-agent-exporter.service").read_text(encoding="utf-8")
    lines = set(text.splitlines())

    assert {"User=lvs-agent", "CapabilityBoundingSet=CAP_NET_ADMIN", "AmbientCapabilities=CAP_NET_ADMIN"} <= lines
    assert {"Conflicts=lvs-agent.service", "ExecStart=/usr/bin/lvs-agent run --observe $LVS_AGENT_OPTIONS"} <= lines
    assert "StateDirectory" not in text


def test_unit_grants_what_it_keeps(unit: Path) -> None:
    """The agent does not run as root: a capability that is in one of the sets only, it would never have."""
    found = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "Capabilit" in line)

    assert found["AmbientCapabilities"] == found["CapabilityBoundingSet"]


@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0, reason="makes files of other users")
def test_directories_belong_to_the_users_of_the_units(tmp_path: Path) -> None:
    """Made as a package does: the agent reads its configuration and owns what it writes, and what it wrote as root."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "var" / "lib" / "lvs-agent").mkdir(parents=True)
    (tmp_path / "var" / "lib" / "lvs-agent" / "events.jsonl").touch(0o640)
    for program, options, name in (
        ("systemd-sysusers", [], "sysusers.d"),
        ("systemd-tmpfiles", ["--create"], "tmpfiles.d"),
    ):
        file = ROOT / "packaging" / name / "lvs-agent.conf"
        subprocess.run([program, f"--root={tmp_path}", *options, file], check=True, capture_output=True)
    users = {line.split(":")[0]: line.split(":") for line in (tmp_path / "etc" / "passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":") for line in (tmp_path / "etc" / "group").read_text().splitlines()}
    agent = int(users["lvs-agent"][2]), int(groups["lvs-agent"][2])

    def made(directory: str) -> tuple[int, int, int]:
        found = (tmp_path / directory).stat()
        return found.st_uid, found.st_gid, found.st_mode & 0o7777

    assert {users[f"lvs-agent{part}"][6] for part in ("", "-check", "-command")} == {"/usr/sbin/nologin"}
    assert groups["lvs-operator"][3] == "lvs-agent"
    assert made("etc/lvs-agent") == (0, agent[1], 0o750)
    assert made("var/lib/lvs-agent") == made("var/log/lvs-agent") == (*agent, 0o750)
    assert made("var/lib/lvs-agent/events.jsonl") == (*agent, 0o640)
    assert made("run/lvs-agent") == (*agent, 0o755)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck; make test installs it")
@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_finds_nothing_wrong_with_a_script(script: str) -> None:
    """At its strictest, but for what only a reader can know."""
    done = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_resource_agent_may_be_executed_by_everybody() -> None:
    """Clusters ask it for its meta-data as an ordinary user."""
    assert (ROOT / "packaging" / "ocf" / "lvs-agent").stat().st_mode & 0o555 == 0o555
