"""What becomes of the services ftp, ldap, ldaps, nntp and simpletcp."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.ldirectord.reader.test_checks import check
from tests.ldirectord.reader.test_servers import told


def notes_of(*directives: str) -> list[str]:
    """What is reported of a service with ``directives``."""
    text = "virtual=203.0.113.1:1021\n\treal=192.0.2.1:1021 masq\n" + "".join(f"\t{each}\n" for each in directives)
    return told(text)


def keys(*directives: str, **more: str) -> dict[str, Any]:
    """The check of a service with ``directives``, without its time limit."""
    made = check(*directives, virtual="203.0.113.1:1021", real=more.get("real", "192.0.2.1:1021 masq"))
    return {key: value for key, value in made.items() if key != "timeout"}


FILE = {"type": "ftp", "path": "/status", "body_regex": "well", "body_limit": "1MiB"}
STEP = {"type": "tcp", "half_close": True}


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        pytest.param(["service=ftp", 'request="status"', 'receive="well"'], FILE, id="file for nobody"),
        pytest.param(
            ["service=ftp", 'request="/status"', 'receive="well"', 'login="me"', 'passwd="x"'],
            FILE | {"user": "me", "password": "x"},
            id="file for a user",
        ),
        pytest.param(
            ["service=ftp", 'login="me"'],
            {"type": "ftp", "user": "me", "password": "lvs-agent@localhost"},
            id="user without a password",
        ),
        pytest.param(["service=ftp", 'login="ftp"'], {"type": "ftp", "user": "ftp"}, id="nobody's other name"),
        pytest.param(["service=ftp", 'receive="well"'], {"type": "ftp"}, id="no file to look at"),
        pytest.param(["service=ftp", 'request="status"'], {"type": "ftp", "path": "/status"}, id="file must be there"),
        pytest.param(["service=ldap"], {"type": "ldap", "base": ""}, id="root DSE"),
        pytest.param(
            ["service=ldap", 'request="dc=example,dc=com"', 'receive="^dc=ex"', 'login="cn=a"', 'passwd="b"'],
            {"type": "ldap", "base": "dc=example,dc=com", "dn_regex": "^dc=ex", "bind_dn": "cn=a", "password": "b"},
            id="entry",
        ),
        pytest.param(["service=ldap", 'login="cn=a"'], {"type": "ldap", "base": ""}, id="login alone is anonymous"),
        pytest.param(
            ["service=ldaps", 'request="dc=x"'],
            {"type": "ldaps", "base": "dc=x", "tls": {"verify": False}},
            id="ldaps",
        ),
        pytest.param(["service=nntp", 'login="me"', 'passwd="x"'], {"type": "nntp"}, id="nntp"),
        pytest.param(
            ["service=simpletcp", r'request="PING\nQUIT\n"', r'receive="^OK$"'],
            STEP | {"steps": [{"send": "PING\nQUIT\n", "expect_regex": "^OK$"}]},
            id="request and answer",
        ),
        pytest.param(
            ["service=simpletcp"], STEP | {"steps": [{"expect_regex": r"[\s\S]"}]}, id="any answer to the end of input"
        ),
        pytest.param(
            ["service=simpletcp", "protocol=udp", r'request="ping\n"', 'receive="pong"'],
            {"type": "udp", "send": "ping\n", "expect_regex": "pong"},
            id="simpletcp over udp",
        ),
        pytest.param(
            ["service=simpletcp", 'request="a"', "checktype=3"],
            STEP | {"steps": [{"send": "a", "expect_regex": r"[\s\S]"}], "connects_between": 3},
            id="connections in between",
        ),
    ],
)
def test_check_of(directives: list[str], expected: dict[str, Any]) -> None:
    """A check table that does what ldirectord does, or better."""
    assert keys(*directives) == expected


def test_each_server_may_ask_for_something_else() -> None:
    """Its own request and response stand instead of those of the service."""
    made = keys("service=ldap", 'request="dc=a"', 'receive="a"', real='192.0.2.1:1021 masq 1 "dc=b", "b"')

    assert (made["base"], made["dn_regex"]) == ("dc=b", "b")


@pytest.mark.parametrize(
    ("directives", "line", "words"),
    [
        (
            ["service=ftp"],
            3,
            "service=ftp without receive: the login must succeed; ldirectord reports the server as up",
        ),
        (
            ["service=ftp", 'request="x"'],
            3,
            "service=ftp without receive: the login, and that the file is there, must succeed",
        ),
        (["service=ldap", 'passwd="x"'], 4, "login and passwd count only together: the bind is anonymous"),
        (["service=ldaps"], 3, "ldaps is checked without verifying the certificate"),
    ],
)
def test_difference_is_told(directives: list[str], line: int, words: str) -> None:
    """Where ldirectord lies, or is content with less than it seems."""
    found = notes_of(*directives)

    assert len(found) == 1
    assert re.match(rf"warning line {line}: {re.escape(words)}", found[0]), found


def test_file_that_is_not_named_is_told_twice() -> None:
    """What is not looked for, and what is checked instead."""
    assert [note.partition(":")[0] for note in notes_of("service=ftp", 'receive="x"')] == [
        "warning line 3", "warning line 4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("directives", "problem"),
    [
        (["service=ldap", 'receive="("'], "error line 4: receive cannot be used: a parenthesis is not closed"),
        (["service=simpletcp", 'receive="("'], "error line 4: receive cannot be used: a parenthesis is not closed"),
        (["service=ldap", f'request="{"x" * 1001}"'], "error line 4: request: must have at most 1000"),
        (["service=simpletcp", f'request="{"x" * 4097}"'], "error line 4: request: must have at most 4096"),
    ],
)
def test_value_that_cannot_be_used_is_told_by_its_directive(directives: list[str], problem: str) -> None:
    """By the word and the line that it has in the file."""
    found = notes_of(*directives)

    assert len(found) == 1
    assert found[0].startswith(problem), found
