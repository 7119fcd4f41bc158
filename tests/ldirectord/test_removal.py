"""The rest of the program does not need this package: without it, everything else works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = (
    "alerts",
    "benchmarks",
    "docs",
    "grafana",
    "lvs_agent",
    "packaging",
    "scripts",
    "tests",
    "config.toml.example",
    "pyproject.toml",
)
OF_THE_PACKAGE = ("lvs_agent/ldirectord", "lvs_agent/cli/ldirectord.py")
NEED_IT = (
    "tests/ldirectord",
    "tests/ldirectord_faults",
    "tests/differential",
    "tests/lab/test_differential.py",
    "tests/lab/test_ldirectord_faults.py",
)
"""Tests of the package, and those that compare with the real ldirectord."""
BLOCK = re.compile(r"(?ms)^# annex begins$.*?^# annex ends\n")
LINE = re.compile(r"(?m)^.*# annex$\n")
WHOLE = (
    "tests/model",
    "tests/core",
    "tests/view",
    "tests/ipvs",
    "tests/checks/test_http.py",
    "tests/control/test_monitor_files.py",
    "tests/control/test_reconciling.py",
    "tests/control/test_reloading.py",
    "tests/control/test_round.py",
    "tests/control/test_state.py",
    "tests/cli/test_client.py",
    "tests/cli/test_status.py",
    "tests/cli/test_why.py",
    "tests/test_metrics.py",
    "tests/web/test_page_view.py",
    "tests/web/test_views.py",
)
IN_PART = (
    "tests/config",
    "--ignore=tests/config/test_new_key.py",  # follows a key into what convert writes
    "--ignore=tests/config/test_absurd_values.py",  # takes long
    "--ignore=tests/config/test_arbitrary_files.py",  # takes long
    "--ignore=tests/config/test_jsonschema.py",  # takes long
    "--ignore=tests/config/test_scale.py",  # takes long
)
"""Together with ``WHOLE``, a part of each package's tests that does not depend on how busy the machine is."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program and its tests, without the package and without the lines that name it."""
    root = tmp_path_factory.mktemp("without")
    for name in COPIED:
        if (ROOT / name).is_dir():
            # With what is compiled, which takes most of the time, but not with what is just being written.
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        else:
            shutil.copy(ROOT / name, root / name)
    for name in (*OF_THE_PACKAGE, *NEED_IT):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in [root / "pyproject.toml", *(root / "lvs_agent").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        rest = LINE.sub("", BLOCK.sub("", text))
        if rest != text:  # what is compiled fits a file only as long as that is not written again
            path.write_text(rest, encoding="utf-8")
    found = run(root, sys.executable, "-c", "import lvs_agent; print(lvs_agent.__file__)")
    assert Path(found.stdout.strip()) == root / "lvs_agent/__init__.py", found.stderr
    return root


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of Python in the copy; its modules come from there."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(arguments, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_every_module_can_be_imported(without: Path) -> None:
    """No line that names the package is left, in any module."""
    script = (
        "import importlib, pkgutil, lvs_agent\n"
        "for each in pkgutil.walk_packages(lvs_agent.__path__, 'lvs_agent.'):\n"
        "    if not each.name.endswith('__main__'):\n"
        "        importlib.import_module(each.name)\n"
        "        print(each.name)\n"
    )
    done = run(without, sys.executable, "-c", script)

    assert done.returncode == 0, done.stderr
    assert "lvs_agent.daemon" in done.stdout.split()
    assert not [name for name in done.stdout.split() if "ldirectord" in name]


def test_layers_hold(without: Path) -> None:
    """What holds of the imports is written down without it as well."""
    done = run(without, str(Path(sys.executable).with_name("lint-imports")), "--no-cache")

    assert done.returncode == 0, done.stdout


def test_configuration_in_toml_is_checked(without: Path) -> None:
    """The example of the repository, by the command."""
    done = run(without, sys.executable, "-m", "lvs_agent", "check-config", "--config", "config.toml.example")

    assert (done.returncode, done.stdout[:3]) == (0, "ok:"), done.stderr


def test_ldirectord_cf_is_an_error_with_a_remedy(without: Path) -> None:
    """The file is not taken for broken TOML; what was never there is not offered."""
    (without / "ldirectord.cf").write_text("virtual=192.0.2.1:80\n")
    done = run(without, sys.executable, "-m", "lvs_agent", "check-config", "--config", "ldirectord.cf")
    offered = run(without, sys.executable, "-m", "lvs_agent", "--help")

    assert done.returncode == 2
    assert done.stderr.startswith("error: ldirectord.cf: is in the format of ldirectord, which this installation")
    assert "convert" not in offered.stdout


def test_every_other_test_can_be_collected(without: Path) -> None:
    """No module of tests but those of the package imports any of it."""
    elsewhere = [f"--ignore={path}" for path in WHOLE]
    done = run(without, sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *elsewhere)

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr


def test_other_tests_pass(without: Path) -> None:
    """Those of every other package, or a part of them, with a few examples each: they have run with all of them."""
    options = ("-q", "-m", "not ipvs", "-p", "no:cacheprovider", "--hypothesis-profile=few")
    done = run(without, sys.executable, "-m", "pytest", *options, *WHOLE, *IN_PART)

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
