"""What probes import, and that it is there before they run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lvs_agent.checks.engine import libraries
from lvs_agent.checks.kinds import checkers
from lvs_agent.model.check import Errored, ErrorReason, Passed
from tests.checks import servers
from tests.checks.cases import Setting, all_cases
from tests.checks.conftest import Certificates
from tests.checks.first_probe import First, FirstProbes
from tests.checks.servers import run, spec

ROOT = Path(__file__).parents[2]
SOME = ("refused", "garbage")
SETTINGS = [
    *((kind, "healthy") for kind, case in all_cases().items() if case.healthy is not None),
    *((kind, name) for kind, case in all_cases().items() for name in SOME if name in case.hostile),
]


def first(
    setting: Setting, *, healthy: bool, of: FirstProbes, certificates: Certificates, loaded: bool = True
) -> First:
    """What the first probe of a process does in this setting."""

    async def main() -> First:
        async with setting(certificates) as check:
            patient = replace(check, timeout_s=20.0) if healthy else check
            return await asyncio.to_thread(of.of, patient, loaded=loaded)

    return run(main())


def test_every_kind_is_tried() -> None:
    """No kind of check could import something unseen."""
    assert {kind for kind, _ in SETTINGS} == set(checkers())


@pytest.mark.parametrize(("kind", "name"), SETTINGS)
def test_first_probe_imports_nothing(
    kind: str, name: str, certificates: Certificates, first_probes: FirstProbes
) -> None:
    """Everything was imported beside the loop before, so no probe holds up the others, whatever the server does."""
    case = all_cases()[kind]
    setting = case.healthy if name == "healthy" else case.hostile[name]
    assert setting is not None

    done = first(setting, healthy=name == "healthy", of=first_probes, certificates=certificates)

    assert done.imported == []
    assert isinstance(done.result, Passed) is (name == "healthy"), done.result


@pytest.mark.parametrize("kind", ["http_proxy", "mysql", "pgsql", "oracle", "http2"])
def test_library_that_was_not_loaded_is_imported_by_the_probe(
    kind: str, certificates: Certificates, first_probes: FirstProbes
) -> None:
    """Whoever forgets to load gets late results, not wrong ones; and that the tests above can see an import."""
    case = all_cases()[kind]
    setting = case.healthy or case.hostile["garbage"]
    healthy = case.healthy is not None
    done = first(setting, healthy=healthy, of=first_probes, certificates=certificates, loaded=False)

    assert libraries.libraries(checkers()[kind].settings.model_construct()) & set(done.imported)
    assert isinstance(done.result, Passed) is healthy


def test_checkers_import_no_library() -> None:
    """A configuration is read and checked without the libraries that only probes need."""
    script = "import sys; from lvs_agent.checks.kinds import checkers; list(checkers().values()); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    late = {"cryptography", "httpx", "h2", "pymysql", "psycopg", "oracledb", "dns", "anyio"}

    assert set(ended.stdout.split()) & late == set()


@pytest.mark.parametrize(
    ("kind", "settings", "uses_tls"),
    [
        ("tcp", {}, False),
        ("tcp", {"tls": {}}, True),
        ("https", {}, True),
        ("http2", {}, False),
        ("smtp", {}, False),
        ("smtp", {"starttls": "required"}, True),
        ("imaps", {}, True),
        ("ldap", {}, False),
        ("ldap", {"starttls": True}, True),
        ("nntp", {}, False),
        ("nntp", {"starttls": True}, True),
        ("nntp", {"tls": {}}, True),
    ],
)
def test_only_checks_with_tls_need_its_libraries(*, kind: str, settings: dict[str, object], uses_tls: bool) -> None:
    """Where no certificate is shown, nothing is loaded that reads one."""
    needed = libraries.libraries(checkers()[kind].settings(**settings))

    assert needed.issuperset(libraries.TLS) is uses_tls
    assert needed.isdisjoint(libraries.TLS) is not uses_tls


@pytest.mark.parametrize("kind", ["pgsql", "oracle"])
def test_missing_library_is_no_obstacle(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading goes on without it, and the probe tells what to install."""
    checker = checkers()[kind]
    for name in (*checker.settings.libraries, str(checker.settings.extra_library)):
        monkeypatch.setitem(sys.modules, name, None)
    settings: dict[str, Any] = {"user": "u", "password": "p"} | ({"sid": "s"} if kind == "oracle" else {})
    check = spec(kind, port=1, **settings)
    libraries.load([check])

    result = run(servers.result_of(check))
    assert isinstance(result, Errored)
    assert result.reason is ErrorReason.FILE_MISSING
    assert result.detail.startswith(f"install lvs-agent[{kind}]: ")
