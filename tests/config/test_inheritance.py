"""Laws of inheritance between check tables."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.config.check_sets import WrittenCheck, inherit
from lvs_agent.config.schema.check import COMMON_KEYS
from tests.config.kinds import KINDS

_KEYS = ("interval", "timeout", "rise", "port", "send", "note", "user", "password", "password_file", "password_env")
_TABLES = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(sorted(KINDS)), **dict.fromkeys(_KEYS, st.integers(0, 3))}
)


def _chain(*tables: dict[str, Any]) -> WrittenCheck:
    written = WrittenCheck()
    for level, table in enumerate(tables):
        written = inherit(written, table, at=(level,), checkers=KINDS)
    return written


@given(_TABLES, _TABLES)
def test_empty_table_changes_nothing(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    """A level that says nothing is as good as no level."""
    assert _chain(outer, {}, inner).values == _chain(outer, inner).values


@given(_TABLES, _TABLES)
def test_innermost_table_wins(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    """Whatever is written further in holds, together with the place where it was written."""
    written = _chain(outer, inner)

    assert {key: written.values[key] for key in inner} == inner
    assert all(written.places[key] == (1, key) for key in inner)


@given(_TABLES, _TABLES, _TABLES)
def test_common_keys_survive_every_change_of_type(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    """Timing stays whatever kind of check it is for; a port is given up by a kind that has none."""
    written = _chain(a, b, c)

    for key in ({*a, *b, *c} & COMMON_KEYS) - {"port"}:
        assert written.values[key] == next(table[key] for table in (c, b, a) if key in table)


@given(_TABLES, _TABLES)
def test_same_type_keeps_every_key(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    """Without a change of type, only keys that are written again are replaced."""
    inner = {key: value for key, value in inner.items() if key != "type"}
    written = _chain(outer, inner).values

    secret = any(key.startswith("password") for key in inner)
    for key in outer.keys() - inner.keys():
        assert key in written or (secret and key.startswith("password"))


@given(_TABLES, _TABLES)
def test_keys_of_the_other_type_alone_are_dropped(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    """What is inherited by a check of another type is a key of that type, or one that every type has."""
    written = _chain(outer, inner)
    if written.type == _chain(outer).type or written.type is None:
        return

    own = {*KINDS[written.type].settings.model_fields, "password_file", "password_env"} | COMMON_KEYS
    assert all(key in own for key in written.values.keys() - inner.keys())


def test_note_shared_by_two_types_stays() -> None:
    """A key that both types have says the same to both."""
    written = _chain({"type": "tcp", "note": 1, "send": 2}, {"type": "login"})

    assert written.values == {"type": "login", "note": 1}


def test_secret_from_a_file_replaces_an_inherited_one() -> None:
    """The three ways to write one secret are one key."""
    written = _chain({"type": "login", "password": "x"}, {"password_file": "y"}, {"password_env": "z"})

    assert written.values == {"type": "login", "password_env": "z"}


def test_places_tell_who_wrote_a_key() -> None:
    """A problem with an inherited key is reported where it stands."""
    written = _chain({"interval": 1}, {"timeout": 2}, {"rise": 3})

    assert written.places == {"interval": (0, "interval"), "timeout": (1, "timeout"), "rise": (2, "rise")}
