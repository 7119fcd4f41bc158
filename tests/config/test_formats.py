"""Which format a file is read in, and how what a format says of a file goes together with the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lvs_agent.config import TOML, Formats, SourceTables, load_config
from lvs_agent.errors import ConfigError, Problem


class Words:
    """A format whose files are names of virtual services; the word "broken" is an error, "odd" a warning."""

    name = "words"
    suffixes = (".words", ".list")

    def read(self, content: bytes, *, name: str) -> SourceTables:
        words = content.decode().split()
        services = [{"name": word, "address": "192.0.2.1", "port": at + 1} for at, word in enumerate(words)]
        return SourceTables(
            tables={"virtual_service": services},
            errors=tuple(Problem(name, word) for word in words if word == "broken"),
            warnings=tuple(Problem(name, word) for word in words if word == "odd"),
            formatter=lambda findings, _: tuple(Problem(str(found.location[1]), found.text) for found in findings),
            merged=lambda problems, more: (*more, *problems),
        )


UNPRINTABLE = "must be printable text on one line, without spaces around it"
WORDS = Words()
FORMATS = Formats(TOML, WORDS)


def test_name_of_a_file_says_its_format_unless_another_is_named() -> None:
    """Every name that says nothing is of the usual format."""
    assert FORMATS.of(Path("a.words")) is WORDS
    assert FORMATS.of(Path("a.list")) is WORDS
    assert [FORMATS.of(Path(name)) for name in ("a.toml", "a.conf", "a")] == [TOML, TOML, TOML]
    assert FORMATS.of(Path("a.words"), "toml") is TOML
    assert FORMATS.of(Path("a"), "words") is WORDS


def test_rule_is_said_in_words() -> None:
    """For the help of the option."""
    assert FORMATS.names == ("toml", "words")
    assert FORMATS.rule == "words for a name in .words, words for a name in .list, else toml"
    assert Formats(TOML).rule == "toml"


def test_format_that_an_installation_lacks_is_an_error() -> None:
    """An ldirectord.cf is not taken for broken TOML; the remedy is said."""
    with pytest.raises(ConfigError) as refused:
        Formats(TOML).of(Path("/etc/ha.d/ldirectord.cf"))

    assert str(refused.value) == (
        "/etc/ha.d/ldirectord.cf: is in the format of ldirectord, which this installation of lvs-agent cannot read;"
        " install lvs-agent with the package lvs_agent.ldirectord, or give --config-format toml"
    )
    assert Formats(TOML).of(Path("/etc/ha.d/ldirectord.cf"), "toml") is TOML


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("broken", ["a.words: broken"], id="the format's own"),
        pytest.param("x\x01", [f"0: {UNPRINTABLE}"], id="the tables'"),
        pytest.param(
            "broken x\x01",
            [f"1: {UNPRINTABLE}", "a.words: broken"],
            id="both, as the format orders them",
        ),
    ],
)
def test_every_problem_is_reported_at_once(tmp_path: Path, text: str, problems: Sequence[str]) -> None:
    """What the format finds and what the tables have, named as the format names places."""
    path = tmp_path / "a.words"
    path.write_text(text)

    with pytest.raises(ConfigError) as refused:
        load_config(path, WORDS)
    assert [str(problem) for problem in refused.value.problems] == problems


def test_warnings_of_a_format_stay(tmp_path: Path) -> None:
    """Beside the configuration that can be used."""
    path = tmp_path / "a.words"
    path.write_text("odd")
    config = load_config(path, WORDS)

    assert Problem("a.words", "odd") in config.warnings
    assert [service.name for service in config.intent.services] == ["odd"]
