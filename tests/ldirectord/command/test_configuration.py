"""Which file is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.ldirectord.command.configuration import candidates, existing, format_options


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.cf", ("/etc/ha.d/web.cf", "/etc/ha.d/conf/web.cf", f"{Path.cwd()}/web.cf")),
        ("/a/web.cf", ("/etc/ha.d/a/web.cf", "/etc/ha.d/conf/a/web.cf", "/a/web.cf")),
        ("../web.cf", ("/etc/web.cf", "/etc/ha.d/web.cf", f"{Path.cwd().parent}/web.cf")),
    ],
)
def test_places_are_those_of_ldirectord(name: str, expected: tuple[str, ...]) -> None:
    """In its order, all of them absolute."""
    assert tuple(map(str, candidates(name))) == expected


def test_first_file_that_exists_is_meant(tmp_path: Path) -> None:
    """A directory is none."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "web.cf").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "web.cf").touch()
    places = candidates("web.cf", directories=[str(tmp_path / name) for name in "ab"])

    assert existing(places) == tmp_path / "b" / "web.cf"
    assert existing(places[:1]) is None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ldirectord.cf", ("--config-format", "ldirectord")),
        ("web", ("--config-format", "ldirectord")),
        ("web.conf", ("--config-format", "ldirectord")),
        ("web.toml", ()),
    ],
)
def test_only_toml_is_not_of_ldirectord(name: str, options: tuple[str, ...]) -> None:
    """Which takes files of any name."""
    assert format_options(Path("/etc/ha.d", name)) == options
