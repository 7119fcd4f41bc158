"""Every valid file beside everything that it asks for: lines ``# expect: ...`` at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.config import load_config
from tests.config.written import lines_of

_FILES = sorted((Path(__file__).parents[1] / "data/config/valid").glob("*.toml"))
_MARK = "# expect: "


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in _FILES])
def test_file_asks_for_exactly_what_stands_beside_it(path: Path) -> None:
    """Inheritance, defaults and rules together give this table, these checks and these warnings."""
    lines = path.read_text().splitlines()
    expected = [line.partition(_MARK)[2] for line in lines if line.startswith(_MARK)]

    assert lines_of(load_config(path)) == expected


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in _FILES])
def test_every_check_that_a_server_names_is_there(path: Path) -> None:
    """No check is missing, and none is run for nobody."""
    intent = load_config(path).intent

    named = {check for service in intent.services for server in service.real_servers for check in server.all_checks}
    assert named == set(intent.checks)
    assert all(spec.id == id_ for id_, spec in intent.checks.items())


def test_there_are_files() -> None:
    """The directory was found."""
    assert len(_FILES) >= 10
