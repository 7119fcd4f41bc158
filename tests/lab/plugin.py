"""Runs the tests marked ``ipvs`` where there is a kernel with IPVS.

As root on a kernel that has ip_vs (or can load it), they run in this session.  Elsewhere they run in one boot of the
lab kernel (``tests/lab/lab``): a pytest in it sends its reports out one by one, so that this session shows every test
with its own outcome, duration and output, and ``-k``, ``-x``, ``--lf`` and random order work as usual.  A kernel that
fails (status 125) is booted once more for the remaining tests.  If it fails again in the same module, or if the pytest
in it ends, the rest of that module is lost.

Without the lab, the tests are skipped with a hint how to get it; with ``CI=true`` that is an error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import hypothesis
import pytest

from tests.durations import parts_of, seconds_of
from tests.lab.namespace import new_network_namespace

LAB = Path(__file__).with_name("lab")
MARKER = "ipvs"
INSIDE = "LVS_LAB_INSIDE"
REPORTS = "LVS_LAB_REPORTS"
KERNEL_FAILED = 125
TEST_TIMEOUT_S = 300
"""Limit of one test inside: that kernel has one CPU, and a system call costs it 50 µs."""
POLL_S = 0.05
END_S = 15.0


@pytest.fixture
def network_namespace() -> Iterator[None]:
    """The test runs in a network namespace of its own, with ``lo`` up and an empty IPVS table."""
    with new_network_namespace():
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--lab-part 1/2``: of the tests that need IPVS, those of every second module, so that two kernels share them."""
    parser.addoption("--lab-part", metavar="N/OF", help="run this part of the modules that need IPVS")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``--lab-part``, do not import modules that have no test that needs IPVS."""
    if config.getoption("--lab-part") is None or collection_path.suffix != ".py":
        return None
    return True if f"mark.{MARKER}" not in collection_path.read_text(encoding="utf-8") else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the modules that belong to another part, and let the longest begin first."""
    items.sort(key=lambda item: -seconds_of(_module(item)))
    part = config.getoption("--lab-part")
    if part is None:
        return
    number, of = map(int, part.split("/"))
    modules = {_module(item) for item in items}
    chosen = parts_of(modules, of=of)[number - 1]
    config.hook.pytest_deselected(items=[item for item in items if _module(item) not in chosen])
    items[:] = [item for item in items if _module(item) in chosen]


def _module(item: pytest.Item) -> str:
    return item.nodeid.split("::", 1)[0]


def pytest_configure(config: pytest.Config) -> None:
    """Inside the lab kernel: send reports out, and disable the deadline of hypothesis."""
    if REPORTS in os.environ:
        config.pluginmanager.register(ReportWriter(config=config, path=Path(os.environ[REPORTS])))
    if INSIDE in os.environ:
        hypothesis.settings.register_profile(
            "lab", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
        )
        hypothesis.settings.load_profile("lab")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Decide where the selected tests that need IPVS run."""
    wanted = [item for item in session.items if item.get_closest_marker(MARKER)]
    if not wanted or session.config.option.collectonly or kernel_has_ipvs():
        return
    if subprocess.run([LAB, "ready"], check=False).returncode == 0:
        for item in wanted:
            # The limit that counts is the one inside.
            item.add_marker(pytest.mark.timeout(0))
        session.config.pluginmanager.register(LabRunner(config=session.config, items=wanted))
        return
    hint = f"needs root and a kernel with IPVS; get the lab kernel with: {LAB} fetch"
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(f"{len(wanted)} tests cannot run: {hint}")
    for item in wanted:
        item.add_marker(pytest.mark.skip(reason=hint))


def kernel_has_ipvs() -> bool:
    """Whether tests that need IPVS can run right here."""
    if INSIDE in os.environ:
        return True
    if os.geteuid() != 0:
        return False
    table = Path("/proc/net/ip_vs")
    if not table.exists():
        try:
            subprocess.run(["modprobe", "-q", "ip_vs"], check=False)
        except FileNotFoundError:
            return False
    return table.exists()


class ReportWriter:
    """Writes every report of this session to a file, one line of JSON each."""

    def __init__(self, *, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._file = path.open("a")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._file.write(json.dumps(data) + "\n")
        self._file.flush()
        # Outside the kernel, only synced writes are visible.
        os.fsync(self._file.fileno())


class Boot:
    """One run of the lab kernel with a pytest for ``items`` in it."""

    def __init__(self, *, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        self._config = config
        self._directory = tempfile.TemporaryDirectory(prefix="lvs-lab-")
        self._reports = Path(self._directory.name, "reports")
        self._reports.touch()
        self._read = 0
        self._output = Path(self._directory.name, "output")
        arguments = Path(self._directory.name, "arguments")
        arguments.write_text("".join(f"{item.nodeid}\n" for item in items))
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [LAB, "run", sys.executable, *_program(config), *_options(config), f"@{arguments}"],
                cwd=config.rootpath,
                env={**os.environ, REPORTS: str(self._reports), "LVS_LAB_TIMEOUT": str(120 + 120 * len(items))},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def reports(self) -> Iterator[pytest.TestReport]:
        """Every report until the kernel has ended, as they come."""
        while True:
            ended = self._process.poll() is not None
            yield from self._new_reports()
            if ended:
                return
            time.sleep(POLL_S)

    @property
    def kernel_failed(self) -> bool:
        return self._process.poll() == KERNEL_FAILED

    def story(self) -> str:
        """The output of the run, for a test without a report."""
        lines = self._output.read_text(errors="replace").splitlines()
        return "\n".join([f"the lab ended with status {self._process.poll()} without a report", *lines[-80:]])

    def close(self, *, patience_s: float) -> None:
        """End it.  A session that has ended normally needs a moment to write its measurements."""
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
        self._directory.cleanup()

    def _new_reports(self) -> Iterator[pytest.TestReport]:
        with self._reports.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            data = json.loads(line)
            # A skip's place and reason are a tuple, which JSON does not know.
            if isinstance(data.get("longrepr"), list):
                data["longrepr"] = tuple(data["longrepr"])
            yield self._config.hook.pytest_report_from_serializable(config=self._config, data=data)


def _program(config: pytest.Config) -> list[str]:
    """pytest, with coverage if this session has it: pytest-cov combines parallel data files at the end."""
    measured = config.pluginmanager.hasplugin("_cov")
    return ["-m", *(["coverage", "run", "--parallel-mode", "-m"] if measured else []), "pytest"]


def _options(config: pytest.Config) -> list[str]:
    """The order is given; the outer session handles selection and cache."""
    options = ["-p", "no:randomly", "-p", "no:cacheprovider", "-o", "addopts=", "-o", f"timeout={TEST_TIMEOUT_S}"]
    return [*options, "--strict-markers", "--strict-config", "-v", f"--rootdir={config.rootpath}"]


class LabRunner:
    """Runs ``items`` in the lab, in one boot, and reports them as if they had run here."""

    def __init__(self, *, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        self._config = config
        self._pending = {item.nodeid: item for item in items}
        self._boot: Boot | None = None
        self._stream: Iterator[pytest.TestReport] = iter(())
        self._repeated_for = ""
        """The module in which a kernel has failed once."""
        self._lost_in = ""
        """The module in which the boot has ended and lost a test: the next module gets a boot of its own."""
        self._arrived: dict[str, list[pytest.TestReport]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if item.nodeid not in self._pending:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports_of(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        # Fixtures of tests of the same module that ran here end where they would have ended.
        cast("Any", item.session)._setupstate.teardown_exact(nextitem)
        return True

    def pytest_sessionfinish(self) -> None:
        self._end_boot()

    def _reports_of(self, item: pytest.Item) -> list[pytest.TestReport]:
        module = _module(item)
        boot = self._boot or self._start_boot()
        while (found := self._await(item)) is None:
            if self._lost_in in {"", module}:
                if not boot.kernel_failed or self._repeated_for == module:
                    self._lost_in = module
                    found = [_lost(item, boot.story())]
                    break
                self._repeated_for = module
            self._lost_in = ""
            boot = self._start_boot()
        del self._pending[item.nodeid]
        return found

    def _await(self, item: pytest.Item) -> list[pytest.TestReport] | None:
        """The reports of ``item``, or None if the run ended without the last one."""
        while True:
            reports = self._arrived.get(item.nodeid, [])
            if reports and reports[-1].when == "teardown":
                return self._arrived.pop(item.nodeid)
            report = next(self._stream, None)
            if report is None:
                return None
            self._arrived.setdefault(report.nodeid, []).append(report)

    def _start_boot(self) -> Boot:
        self._end_boot()
        self._arrived = {}
        self._boot = boot = Boot(config=self._config, items=list(self._pending.values()))
        self._stream = boot.reports()
        return boot

    def _end_boot(self) -> None:
        if self._boot is not None:
            self._boot.close(patience_s=0 if self._pending else END_S)
        self._boot = None


def _lost(item: pytest.Item, story: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="failed",
        longrepr=story,
        when="call",
    )
