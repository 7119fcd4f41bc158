"""The plugin itself, in pytest sessions of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.durations import LONG_S, USUAL_S, parts_of, seconds_of
from tests.lab.plugin import LAB, kernel_has_ipvs

ROOT = Path(__file__).parents[2]
LAB_IS_READY = subprocess.run([LAB, "ready"], check=False).returncode == 0

MODULE = """
import os, pathlib, pytest

pytestmark = pytest.mark.ipvs

@pytest.fixture
def broken():
    raise RuntimeError("no such luck")

def test_passes():
    assert pathlib.Path("/proc/net/ip_vs").exists()

def test_fails():
    print("said inside")
    assert 1 == 2

def test_skips():
    pytest.skip("not today")

def test_cannot_begin(broken):
    pass

def test_panics_once():
    once = pathlib.Path("panicked")
    if not once.exists():
        once.touch()
        pathlib.Path("/proc/sysrq-trigger").write_text("c")

@pytest.mark.xfail(strict=True)
def test_fails_as_expected():
    assert 1 == 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a test module for the lab."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = ipvs: needs IPVS\n")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.lab.plugin"]\n')
    (tmp_path / "test_inside.py").write_text(MODULE)
    return tmp_path


def session(project: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A pytest session over the project."""
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-rA", "-p", "no:randomly", *options],
        cwd=project,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_parts_have_every_module_once_and_take_about_as_long() -> None:
    """Nothing is left out and nothing runs twice, however many modules there are."""
    modules = {*LONG_S, *(f"tests/other{number}.py" for number in range(9))}
    first, second = parts_of(modules, of=2)

    assert first | second == modules
    assert not first & second
    assert abs(sum(map(seconds_of, first)) - sum(map(seconds_of, second))) <= USUAL_S


def test_modules_that_take_long_are_there() -> None:
    """A module that was renamed takes its time along."""
    assert [name for name in LONG_S if not (ROOT / name).exists()] == []


without_ipvs = pytest.mark.skipif(kernel_has_ipvs(), reason="this kernel has ip_vs: nothing is sent away")


@without_ipvs
def test_missing_lab_skips_with_a_hint(project: Path, tmp_path: Path) -> None:
    """A stranger's clone passes, and says how to get more."""
    done = session(project, LVS_LAB_DIR=str(tmp_path / "none"))

    assert done.returncode == 0
    assert "6 skipped" in done.stdout
    assert "lab fetch" in done.stdout


@without_ipvs
def test_missing_lab_is_an_error_in_ci(project: Path, tmp_path: Path) -> None:
    """Nothing is left untested unnoticed."""
    done = session(project, LVS_LAB_DIR=str(tmp_path / "none"), CI="true")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "6 tests cannot run" in done.stderr
    assert "lab fetch" in done.stderr


@without_ipvs
@pytest.mark.skipif(not LAB_IS_READY, reason=f"the lab is missing: {LAB} fetch")
@pytest.mark.timeout(120)
def test_every_outcome_comes_out_and_a_panic_is_survived(project: Path) -> None:
    """Tests inside have their own outcome and output outside; a kernel that panics once is booted again."""
    done = session(project)

    assert "1 failed, 2 passed, 1 skipped, 1 xfailed, 1 error" in done.stdout
    assert "FAILED test_inside.py::test_fails - assert 1 == 2" in done.stdout
    assert "said inside" in done.stdout
    assert "ERROR test_inside.py::test_cannot_begin - RuntimeError: no such luck" in done.stdout
    assert (project / "panicked").exists()


@without_ipvs
@pytest.mark.skipif(not LAB_IS_READY, reason=f"the lab is missing: {LAB} fetch")
@pytest.mark.timeout(120)
def test_session_that_stops_early_ends_its_kernel(project: Path) -> None:
    """With ``-x`` and ``-k`` only what was chosen runs, and no further than the first failure."""
    done = session(project, "-x", "-k", "test_fails or test_skips")

    assert "1 failed, 3 deselected" in done.stdout
