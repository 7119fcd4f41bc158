"""Every broken file beside its exact messages: lines ``# expect: path: text`` somewhere in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import load_config
from lvs_agent.config.suggest import enumerate_words
from lvs_agent.errors import ConfigError

_FILES = sorted((Path(__file__).parents[1] / "data/config/invalid").glob("*.toml"))
_MARK = "# expect: "


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in _FILES])
def test_broken_file_is_refused_with_exactly_its_messages(path: Path) -> None:
    """Every problem of the file is reported, in the file's order, and nothing else."""
    lines = path.read_text().splitlines()
    expected = [line.partition(_MARK)[2] for line in lines if _MARK in line]

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    told = [_portable(str(problem), path) for problem in caught.value.problems]
    assert expected
    assert told == expected


def _portable(text: str, path: Path) -> str:
    """Neither the place of the files nor the checkers that happen to be there belong to a message."""
    return text.replace(str(path.parent), "DIR").replace(enumerate_words(tuple(checkers())), "KINDS")


def test_there_are_many_broken_files() -> None:
    """The directory was found, and nobody emptied it."""
    assert len(_FILES) > 100


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in _FILES])
def test_no_message_has_the_validation_library_in_it(path: Path) -> None:
    """The user reads sentences about the file, never the library's own wording."""
    with pytest.raises(ConfigError) as caught:
        load_config(path)

    for word in ("Input should", "pydantic", "valid dictionary", "Field required", "Extra inputs", "Value error"):
        assert word not in str(caught.value)
