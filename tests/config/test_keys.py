"""A key that is declared in the schema is all there: it has a meaning, is inherited, documented and shown."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tomli

from lvs_agent.config import Config, config_from_tables
from lvs_agent.config.findings import Location
from lvs_agent.config.schema.check import CheckKeys
from lvs_agent.config.schema.keys import Mark, defaults_as_written, known_keys, marked
from lvs_agent.config.schema.tables import CheckTables, ForwardingKeys
from lvs_agent.config.secrets import SecretSource
from lvs_agent.errors import ConfigError, Problem
from tests.config.reference import DOCUMENT, document
from tests.config.samples import keys, put, sample, tables

_KEYS = sorted(keys())
_PROGRAM = [place for place in _KEYS if place.startswith(("agent.", "metrics.", "log."))]
_LEVELS = ("defaults", "virtual_service", "virtual_service.real_server")
_INHERITED = [
    (key, outer, inner)
    for outer, inner in [("agent", "virtual_service"), *pairwise(_LEVELS)]
    for key in known_keys(tables()[outer])
    if key in marked(tables()[outer], Mark.INHERITED) & marked(tables()[inner], Mark.INHERITED)
]
_VALID = sorted((Path(__file__).parents[1] / "data/config/valid").glob("*.toml"))
_UNUSABLE: list[Any] = [[[]]]
"""What no key takes."""
_LABEL = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]")
"""What names an element of an array in the path of a problem."""


def _config(written: Mapping[str, Any]) -> Config:
    return config_from_tables(written, source=SecretSource(Path("/etc"), {}))


def _problems(written: Mapping[str, Any]) -> tuple[Problem, ...]:
    try:
        _config(written)
    except ConfigError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("place", _KEYS)
def test_every_key_means_something(place: str) -> None:
    """Another value than the usual one changes what the agent does."""
    before, after = sample(place)

    assert not _problems(after), f"tests/config/samples.py: what it has for {place} cannot be used"
    digests = {_config(written).digest for written in (before, after) if not _problems(written)}
    assert len(digests) == 2 or _problems(before), f"{place} is read by nothing in lvs_agent/config/resolve or build"


@pytest.mark.parametrize(("key", "outer", "inner"), _INHERITED)
def test_inherited_key_holds_further_in(key: str, outer: str, inner: str) -> None:
    """It means the same in the table around as in the table itself."""
    _, around = sample(f"{outer}.{key}")
    _, itself = sample(f"{inner}.{key}")

    assert _config(around).intent == _config(itself).intent


@pytest.mark.parametrize(("key", "outer", "inner"), _INHERITED)
def test_inner_table_has_the_last_word(key: str, outer: str, inner: str) -> None:
    """A usual value that is written out holds against an unusual one further out."""
    usual = defaults_as_written(tables()[inner]).get(key, {})
    before, after = sample(f"{outer}.{key}")

    assert _config(put(after, f"{inner}.{key}", usual)).intent == _config(before).intent


def test_keys_on_several_levels_are_inherited() -> None:
    """A key that [defaults] or [agent] shares with a table further in is marked, or a check."""
    unmarked = [
        f"{outer}.{key}"
        for outer, inner in (("agent", "virtual_service"), ("defaults", "virtual_service"))
        for key in {*known_keys(tables()[outer])} & {*known_keys(tables()[inner])}
        if key not in marked(tables()[outer], Mark.INHERITED) and key not in CheckTables.model_fields
    ]

    assert unmarked == []
    assert marked(ForwardingKeys, Mark.INHERITED) == ForwardingKeys.model_fields.keys()


@pytest.mark.parametrize("place", _PROGRAM)
def test_key_that_needs_a_restart_is_named_when_it_changes(place: str) -> None:
    """A reload says so of the keys that are declared as such, and of no other."""
    path, _, key = place.rpartition(".")
    before, after = map(_config, sample(place))

    assert before.restart_only_changes(after) == ([place] if key in marked(tables()[path], Mark.AT_START) else [])


@pytest.mark.parametrize("place", _PROGRAM)
def test_directors_must_agree_on_shared_keys(place: str) -> None:
    """The digest that directors are compared by has the keys that are declared as such, and no other."""
    path, _, key = place.rpartition(".")
    before, after = map(_config, sample(place))

    assert (before.common_digest != after.common_digest) == (key in marked(tables()[path], Mark.SHARED))


@pytest.mark.parametrize("place", [place for place in _KEYS if tables()[place.rpartition(".")[0]] is not CheckKeys])
def test_unusable_value_is_the_only_problem(place: str) -> None:
    """What cannot be judged without the key is not judged; a key that others are judged by bears ``Mark.DECIDES``."""
    _, after = sample(place)

    places = {_LABEL.sub("", problem.path) for problem in _problems(put(after, place, _UNUSABLE))}
    assert places == {place}


def test_document_is_that_of_the_code() -> None:
    """What has changed in a key is written anew by ``make docs``."""
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run make docs"


def _locations(node: Any, at: Location = ()) -> Iterator[Location]:
    """Where the values of ``node`` are, without elements of arrays that are no tables."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(node, dict) or isinstance(value, dict):
            yield (*at, key)
        if isinstance(value, dict | list):
            yield from _locations(value, (*at, key))


def _with_unusable(node: Any, at: Location) -> Any:
    if not at:
        return _UNUSABLE
    changed = copy.copy(node)
    changed[at[0]] = _with_unusable(node[at[0]], at[1:])
    return changed


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in _VALID])
def test_unusable_value_in_a_good_file_is_the_only_problem(path: Path) -> None:
    """What cannot be judged without it is not judged; a key that others are judged by bears ``Mark.DECIDES``."""
    tables = tomli.loads(path.read_text())
    for at in _locations(tables):
        place = ".".join(str(part) for part in at if isinstance(part, str))
        told = {_LABEL.sub("", problem.path): problem for problem in _problems(_with_unusable(tables, at))}
        assert len(told) == 1, (at, told)
        assert place.startswith(tuple(told))
