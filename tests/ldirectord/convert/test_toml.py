"""TOML as people write it: the same values, comments in their places."""

from __future__ import annotations

from typing import Any

import tomli
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.ldirectord.convert.notes import Note
from lvs_agent.ldirectord.convert.toml import inline, to_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)

SERVERS = [{"address": "10.0.0.1", "weight": 1}, {"address": "10.0.0.2", "weight": 3}]
TABLES: dict[str, Any] = {
    "virtual_service": [
        {
            "check": {"interval": "2s", "path": "/", "type": "http"},
            "real_server": SERVERS,
            "port": 80,
            "address": "192.0.2.1",
            "forwarding": "masquerade",
        }
    ],
    "defaults": {"scheduler": "wrr", "check": {"timeout": "3s"}},
    "agent": {"state_dir": "/var/lib/lvs-agent/a.cf"},
}


@given(VALUES)
def test_every_value_is_read_back(value: object) -> None:
    """Texts with quotes, backslashes, control characters and letters of every script."""
    assert tomli.loads(f"x = {inline(value)}") == {"x": value}


@given(st.text(), st.text())
def test_every_comment_is_a_comment(before: str, behind: str) -> None:
    """Nothing in a comment can become a value or break the file."""
    notes = {
        ("agent", "state_dir"): Note((before,), behind),
        (): Note((before,)),
        ("virtual_service", 0): Note((before,)),
    }

    assert tomli.loads(to_toml(TABLES, notes=notes)) == TABLES


def test_layout_is_that_of_the_example() -> None:
    """Tables in the order of the example, the key of a service first, one line for each real server."""
    assert to_toml(TABLES, notes={}) == (
        "[agent]\n"
        'state_dir = "/var/lib/lvs-agent/a.cf"\n'
        "\n"
        "[defaults]\n"
        'scheduler = "wrr"\n'
        "\n"
        "[defaults.check]\n"
        'timeout = "3s"\n'
        "\n"
        "[[virtual_service]]\n"
        'address = "192.0.2.1"\n'
        "port = 80\n"
        'forwarding = "masquerade"\n'
        "real_server = [\n"
        '  { address = "10.0.0.1", weight = 1 },\n'
        '  { address = "10.0.0.2", weight = 3 },\n'
        "]\n"
        'check = { type = "http", path = "/", interval = "2s" }\n'
    )


def test_comments_stand_before_and_behind() -> None:
    """Of a file, a table, a value and a real server."""
    notes = {
        (): Note(("the file",)),
        ("defaults", "scheduler"): Note(("before",), "behind"),
        ("virtual_service", 0): Note(("web", "", "two lines")),
        ("virtual_service", 0, "real_server", 1): Note(("new",), "big"),
    }
    lines = to_toml(TABLES, notes=notes).splitlines()

    assert lines[:2] == ["# the file", ""]
    assert lines[lines.index("# before") + 1] == 'scheduler = "wrr"  # behind'
    assert lines[lines.index("# web") :][:4] == ["# web", "#", "# two lines", "[[virtual_service]]"]
    assert lines[lines.index("  # new") + 1] == '  { address = "10.0.0.2", weight = 3 },  # big'


def test_check_with_comments_gets_a_table_of_its_own() -> None:
    """There is no place for a comment within a table on one line."""
    text = to_toml(TABLES, notes={("virtual_service", 0, "check", "path"): Note((), "the test page")})

    assert text.endswith('[virtual_service.check]\ntype = "http"\npath = "/"  # the test page\ninterval = "2s"\n')
    assert tomli.loads(text) == TABLES


def test_servers_with_much_to_say_get_tables_of_their_own() -> None:
    """No line is longer than a screen is wide."""
    servers = [{**server, "check": {"path": "/" + "x" * 100}} for server in SERVERS]
    tables = {"virtual_service": [{**TABLES["virtual_service"][0], "real_server": servers}]}
    text = to_toml(tables, notes={("virtual_service", 0, "real_server", 1): Note(("second",))})

    assert text.count("[[virtual_service.real_server]]") == 2
    assert "# second\n[[virtual_service.real_server]]\n" in text
    assert tomli.loads(text) == tables


def test_nothing_is_an_empty_file() -> None:
    """An ldirectord.cf without a service makes a plain exporter."""
    assert tomli.loads(to_toml({}, notes={})) == {}
