"""Whatever a file holds, the answer is a configuration or a ConfigError."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from lvs_agent.config import Config, config_from_tables, parse_config
from lvs_agent.config.schema.check import CheckKeys
from lvs_agent.config.schema.tables import File, PersistenceTable, RealServerTable, VirtualServiceTable
from lvs_agent.config.secrets import SecretSource
from lvs_agent.errors import ConfigError
from tests.config.kinds import KINDS, LoginSettings

_SOURCE = SecretSource(Path("/nonexistent"), {})
_MODELS = (File, VirtualServiceTable, RealServerTable, PersistenceTable, CheckKeys, LoginSettings)
_KEYS = sorted({key for model in _MODELS for key in model.model_fields} | {"password_file", "a b", "", "\n"})
_WORDS = [
    "192.0.2.1",
    "::1",
    "fe80::1%x",
    "tcp",
    "udp",
    "rr",
    "sh",
    "sh-port",
    "quiesce",
    "tunnel",
    "gue",
    "2s",
    "login",
]
_LEAVES = (
    st.none().map(lambda _: "")
    | st.booleans()
    | st.integers()
    | st.integers(0, 100)
    | st.floats()
    | st.sampled_from(_WORDS)
    | st.text(max_size=5)
    | st.just(dt.date(2024, 1, 1))
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=8,
)
_TABLE = st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6)


def _some_of(model: type[BaseModel], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with the ``given`` keys, and any values in others of the model's."""
    return st.fixed_dictionaries(given, optional={key: _VALUES for key in model.model_fields if key not in given})


_SERVER = _some_of(RealServerTable, address=st.sampled_from(_WORDS))
_SERVICE = _some_of(
    VirtualServiceTable,
    address=st.sampled_from(_WORDS),
    port=st.integers(-1, 65_536),
    real_server=st.lists(_SERVER, max_size=3),
)
_FILES = st.fixed_dictionaries(
    {},
    optional={"agent": _TABLE, "log": _TABLE, "defaults": _TABLE, "virtual_service": st.lists(_SERVICE, max_size=3)},
)


@settings(max_examples=60, deadline=None)
@given(_FILES | _TABLE)
@example({"virtual_service": [{"check": {"type": []}}]})
@example({"defaults": {"check": {"type": "login", "headers": {"": {"file": float("nan")}}}}})
def test_arbitrary_tables_never_raise_anything_else(tables: dict[str, Any]) -> None:
    """Any tables that TOML could hold are taken, or refused with at least one readable problem."""
    assert _outcome(lambda: config_from_tables(tables, source=_SOURCE, kinds=KINDS))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="[]{}=\"'.#ab1\n \\-", max_size=60))
def test_arbitrary_text_never_raises_anything_else(text: str) -> None:
    """A text that is not TOML is refused with the place where it stops being TOML."""
    assert _outcome(lambda: parse_config(text, base=Path("/nonexistent")))


_VALID = [tomli.loads(path.read_text()) for path in (Path(__file__).parents[1] / "data/config/valid").glob("*.toml")]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(_VALID), st.data())
def test_valid_file_with_one_value_replaced_never_raises_anything_else(
    tables: dict[str, Any], data: st.DataObject
) -> None:
    """One wrong value in a good file reaches every rule."""
    broken = copy.deepcopy(tables)
    node: Any = broken
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.integers(0, 5)) == 0:
            node[key] = data.draw(_VALUES)
            break
        node = node[key]

    assert _outcome(lambda: config_from_tables(broken, source=_SOURCE))


def _outcome(read: Callable[[], Config]) -> str:
    """The digest, or every problem."""
    try:
        return read().digest
    except ConfigError as error:
        return str(error)
