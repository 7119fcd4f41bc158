"""A key that is new: one field of a model, and the tests name every place that is still missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_COPIED = (
    "lvs_agent",
    "tests/config",
    "tests/checks",
    "tests/data/config",
    "docs/configuration.md",
    "config.toml.example",
)
_FIELD = '''
    artificial: Annotated[int, Field(ge=0, le=9), Mark.INHERITED] = 3
    """A key that there never was."""
'''
_FACTS = """
import json
from lvs_agent.checks.kinds import checkers
from lvs_agent.config.jsonschema import json_schema
from lvs_agent.config.schema.keys import inherit
from lvs_agent.config.schema.tables import DefaultsTable, RealServerTable, VirtualServiceTable
from lvs_agent.ldirectord.convert.compact import compact
from lvs_agent.ldirectord.convert.toml import to_toml

defaults, service = DefaultsTable(artificial=5), VirtualServiceTable()
server = RealServerTable.model_validate({"address": "10.0.0.1"})
inside = inherit(server, inherit(service, defaults))
own = inherit(RealServerTable.model_validate({"address": "10.0.0.1", "artificial": 6}), inherit(service, defaults))
servers = [{"address": "10.0.0.1", "artificial": 7}, {"address": "10.0.0.2", "artificial": 7}]
services = [{"address": "192.0.2.1", "port": port, "real_server": servers} for port in (80, 443)]
schema = json_schema()["$defs"]
models = ("DefaultsTable", "VirtualServiceTable", "RealServerTable")
print(json.dumps({
    "values": [server.artificial, inside.artificial, own.artificial],
    "schema": [schema[name]["properties"]["artificial"] for name in models],
    "toml": to_toml(compact({"virtual_service": services}, checkers=checkers()), notes={}),
}))
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its tests, with one more field in the keys of a pool."""
    root = tmp_path_factory.mktemp("copy")
    for name in _COPIED:
        source, target = _ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (root / "tests/__init__.py").touch()
    (root / "pytest.ini").touch()
    tables = root / "lvs_agent/config/schema/tables.py"
    text = tables.read_text()
    head = re.search(r'class PoolKeys\(.*?\):\n    """.*?"""\n', text)
    assert head is not None
    tables.write_text(text[: head.end()] + _FIELD + text[head.end() :])
    return root


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_new_key_is_inherited_described_and_converted(copied: Path) -> None:
    """Nothing else than the field is needed for any of these."""
    run = _run(copied, "-c", _FACTS)
    assert run.returncode == 0, run.stderr
    facts = json.loads(run.stdout)

    described = {"default": 3, "maximum": 9, "minimum": 0, "title": "Artificial", "type": "integer"}
    assert facts["values"] == [3, 5, 6]
    assert facts["schema"] == [{**described, "description": "A key that there never was."}] * 3
    assert facts["toml"].startswith("[defaults]\nartificial = 7\n")
    assert facts["toml"].count("artificial") == 1


def test_tests_name_what_a_new_key_lacks(copied: Path) -> None:
    """Its meaning on each level, its line in the document, and its line in the example."""
    chosen = "artificial or document_is_that or (example_shows_every_key_of_tables and not Tunnel)"
    names = ("tests/config/test_keys.py", "tests/config/test_example.py", "tests/config/test_jsonschema.py")
    run = _run(copied, "-m", "pytest", "-q", "-p", "no:randomly", "-k", chosen, *names)
    told = run.stdout

    failed = set(re.findall(r"FAILED tests/config/(?:\w+)\.py::(\S+)", told))
    levels = ("defaults", "virtual_service", "virtual_service.real_server")
    models = ("DefaultsTable", "VirtualServiceTable", "RealServerTable")
    assert failed == {
        "test_document_is_that_of_the_code",
        *(f"test_every_key_means_something[{level}.artificial]" for level in levels),
        *(f"test_example_shows_every_key_of_tables[{model}]" for model in models),
    }
    assert "defaults.artificial is read by nothing in lvs_agent/config/resolve or build" in told
    assert "config.toml.example does not show artificial in any of" in told
    assert "run make docs" in told
