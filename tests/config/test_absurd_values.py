"""Any value of any key is taken, or is a problem with its place: nothing that a file can hold ends a running agent."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator, Mapping
from inspect import get_annotations
from pathlib import Path
from typing import Any

import pytest
import tomli

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import config_from_tables, parse_config
from lvs_agent.config.schema.keys import known_keys, tables_below
from lvs_agent.config.schema.secret_keys import secret_places, variants
from lvs_agent.config.secrets import SecretSource
from lvs_agent.errors import ConfigError, Problem
from tests.checks.reference import in_table, said
from tests.config.samples import keys, put, sample


def _nested(depth: int) -> list[Any]:
    return [] if depth == 0 else [_nested(depth - 1)]


_NUMBERS = [-1, 2**31, 2**63, 2**64, -(2**64), 1 << 20_000, float("inf"), float("nan"), 1e308, 0.1, True]
_QUANTITIES = ["9" * 400 + "d", "9" * 5_000 + "s", "9" * 5_000 + "MiB", "1e9s", "\u0663s", "\u00b2", "0s", "1.5MiB"]
_TEXTS = [
    "",
    "\0",
    "\n",
    "\u2028",
    "\u0130",
    "x" * 100_000,
    "9" * 5_000,
    "{address.x}",
    "{address!r:99999999}",
    "{",
    "%s",
]
_ADDRESSES = [
    "fe80::1%eth0",
    "::ffff:192.0.2.1",
    "[::1]:" + "9" * 5_000,
    "http://[",
    "http://x:\u0663/",
    "xn--",
    "a..b",
]
_EXPRESSIONS = [
    "a{99999999999999999}", "a{4294967295}", "(" * 480 + ")" * 480, "(?<=a+)b", "(?L)a", "(?i", "[", "\\", "200-\u0663",
]  # fmt: skip
_TABLES = [
    {}, {"": ""}, {"a": float("nan")}, {"a\nb": "x"}, {"file": "\0"}, {"env": "a=b"}, {"env": "\0"},
    {"file": 1, "env": 2}, {"a": {"file": "\0"}}, {"a": {"env": 1}},
]  # fmt: skip
_ARRAYS = [
    [], [[]], [{}], [float("nan")], [1 << 20_000], ["9" * 5_000], ["/x", "\0"], ["/x", "{"],
    [{"expect_regex": "a{99999999999}"}], [{"send_hex": "zz"}], _nested(200),
]  # fmt: skip
_DATES = [dt.date(1, 1, 1), dt.time(0), dt.datetime(9999, 12, 31, tzinfo=dt.timezone.utc)]  # noqa: UP017 -- UTC has no max
_ABSURD = [
    *_NUMBERS, *_QUANTITIES, *_TEXTS, *_ADDRESSES, *_EXPRESSIONS, *_TABLES, *_ARRAYS, *_DATES,
]  # fmt: skip


def _problems(tables: Mapping[str, Any]) -> tuple[Problem, ...]:
    try:
        config_from_tables(tables, source=SecretSource(Path("/nonexistent"), {}))
    except ConfigError as error:
        return error.problems
    return ()


def _well_told(problem: Problem) -> bool:
    """One line that any terminal and log can take, with a place."""
    return bool(problem.path) and str(problem).isprintable()


@pytest.mark.parametrize("place", sorted(keys()))
def test_absurd_value_of_a_key_is_a_problem_with_its_place(place: str) -> None:
    """Numbers without end, texts of every kind, arrays without bottom, dates: nothing else than ConfigError."""
    _, tables = sample(place)

    for value in _ABSURD:
        assert all(map(_well_told, _problems(put(tables, place, value)))), value


def _fields() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every key that kinds of checks have of their own, with a kind that has it; what several have is there once."""
    seen = set()
    for kind, checker in checkers().items():
        settings = checker.settings
        tables = {(): settings, **{tuple(path.split(".")): model for path, model in tables_below(settings)}}
        for path, model in tables.items():
            forms = [form for key in secret_places(model).keys for form in variants(key)]
            for key in (*known_keys(model), *forms):
                owner = next((each for each in model.__mro__ if key in get_annotations(each)), model)
                if (owner, key) not in seen:
                    seen.add((owner, key))
                    yield kind, (*path, key)


@pytest.mark.parametrize(("kind", "field"), sorted(_fields()))
def test_absurd_value_of_a_check_is_a_problem_with_its_place(kind: str, field: tuple[str, ...]) -> None:
    """The same for the keys that not every check has."""
    example = tomli.loads(in_table(said(kind).example or ""))["virtual_service"]["check"]
    service = {"address": "192.0.2.1", "port": 80, "real_server": [{"address": "10.0.0.1"}]}

    for value in _ABSURD:
        table = node = copy.deepcopy(example)
        for part in field[:-1]:
            node[part] = node = node[part] if isinstance(node.get(part), dict) else {}
        node[field[-1]] = value
        assert all(map(_well_told, _problems({"virtual_service": [{**service, "check": table}]}))), value


_SERVICE = '[[virtual_service]]\naddress = "192.0.2.1"\nport = 80\nreal_server = [{ address = "10.0.0.1" }]\n'


@pytest.mark.parametrize("depth", [100, 900, 20_000])
@pytest.mark.parametrize(
    "text",
    [
        "KEYS = 1", "[KEYS]", "agent.KEYS = 1", "agent.listen.KEYS = 1", "defaults.check.KEYS = 1",
        "defaults.checks.KEYS = 1",
        _SERVICE + 'check.type = "https"\ncheck.tls.KEYS = 1', _SERVICE + 'check.type = "http"\ncheck.headers.KEYS = 1',
        "x = ARRAY", "agent.listen = ARRAY", "defaults.check.port = ARRAY", "metrics.drop = ARRAY",
        "virtual_service = ARRAY",
        "x = 0xDIGITS", _SERVICE.replace("80", "0xDIGITS"), _SERVICE + "name = 0xDIGITS",
        "[[virtual_service]]\nfwmark = 0xDIGITS",
    ],
)  # fmt: skip
def test_depth_and_length_have_no_end_and_do_no_harm(text: str, depth: int) -> None:
    """Dotted keys and arrays as deep, and numbers as long, as somebody likes to write them."""
    shapes = {"KEYS": "a." * depth + "a", "ARRAY": "[" * depth + "]" * depth, "DIGITS": "f" * depth}
    for word, shape in shapes.items():
        text = text.replace(word, shape)

    with pytest.raises(ConfigError) as caught:
        parse_config(text, base=Path("/nonexistent"))
    assert all(str(problem).isprintable() for problem in caught.value.problems)
