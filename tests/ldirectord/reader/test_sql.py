from typing import Any

import pytest

from tests.ldirectord.reader.test_checks import tables_of
from tests.ldirectord.reader.test_servers import told

USER = ['login="monitor"', 'passwd="secret"']


def text_of(*directives: str, real: str = "192.0.2.1:3306 masq") -> str:
    """A file with one database service."""
    lines = ["virtual=203.0.113.1:3306", f"real={real}", *directives]
    return "\n\t".join(lines) + "\n"


@pytest.mark.parametrize(
    ("directives", "real", "expected"),
    [
        (
            ["service=mysql", *USER, 'database="shop"', 'request="SELECT * FROM alive"'],
            "192.0.2.1:3306 masq",
            {"type": "mysql", "user": "monitor", "password": "secret", "database": "shop",
             "query": "SELECT * FROM alive", "timeout": "30s"},
        ),
        (
            [*USER, 'request="/SELECT 1"'],
            "192.0.2.1:3306 masq",
            {"type": "mysql", "user": "monitor", "password": "secret", "query": "SELECT 1", "timeout": "30s"},
        ),
        (
            ["service=pgsql", 'login="monitor"', 'request="SELECT 1"', "negotiatetimeout=3"],
            '192.0.2.1:3306 masq 1 "SELECT 2", ".*"',
            {"type": "pgsql", "user": "monitor", "query": "SELECT 2", "timeout": "3s"},
        ),
        (
            ["service=oracle", *USER, 'database="SHOP"', 'request="SELECT 1 FROM dual"', "checkport=1521"],
            "192.0.2.1:3306 masq",
            {"type": "oracle", "user": "monitor", "password": "secret", "sid": "SHOP", "query": "SELECT 1 FROM dual",
             "timeout": "30s", "port": 1521},
        ),
    ],
)  # fmt: skip
def test_database_is_asked_as_ldirectord_asks_it(directives: list[str], real: str, expected: dict[str, Any]) -> None:
    """Login, database and request; a real server's own request comes first, and a slash at its beginning is none."""
    table = tables_of(text_of(*directives, real=real))["virtual_service"][0]

    assert (table.get("check") or table["real_server"][0]["check"]) == expected


@pytest.mark.parametrize(
    ("directives", "missing"),
    [(['request="SELECT 1"'], "login"), (USER, "request"), ([*USER, 'request="/"'], "request")],
)
def test_check_without_login_or_request_is_told(directives: list[str], missing: str) -> None:
    """ldirectord finds such a server down for ever; ours tries at least its port, and says so."""
    assert told(text_of("service=mysql", *directives))[0] == (
        f"warning line 3: service=mysql has no {missing}: a connection to its port is checked instead;"
        " ldirectord never reports it as up"
    )
