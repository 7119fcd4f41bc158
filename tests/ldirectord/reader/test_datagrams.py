"""What becomes of the services dns, radius and sip."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ldirectord.reader.test_checks import check
from tests.ldirectord.reader.test_servers import told

WWW = {"type": "dns", "query": "www.example.com"}
LOGIN = ['login="me"', 'passwd="word"', 'secret="shared"']
RADIUS = {"type": "radius", "user": "me", "password": "word", "secret": "shared"}
NOBODY = {"type": "radius", "user": "lvs-agent", "password": "", "secret": "lvs-agent", "accept_reject": True}


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        pytest.param(
            ["service=dns", "protocol=udp", 'request="www.example.com"', 'receive="^192\\.0"'],
            WWW | {"answer_regex": "^192\\.0"},
            id="name",
        ),
        pytest.param(
            ["service=dns", "protocol=udp", 'request="/www.example.com"', 'receive="."'],
            WWW | {"answer_regex": "."},
            id="name behind a slash",
        ),
        pytest.param(
            ["service=dns", "protocol=udp", 'request="192.0.2.1"', 'receive="x"'],
            {"type": "dns", "query": "192.0.2.1", "record_type": "PTR", "answer_regex": "x"},
            id="address",
        ),
        pytest.param(
            ["service=dns", "protocol=udp", 'request="2001:db8::1"', 'receive="x"'],
            {"type": "dns", "query": "2001:db8::1", "record_type": "PTR", "answer_regex": "x"},
            id="address of IPv6",
        ),
        pytest.param(
            ["service=dns", "protocol=tcp", 'request="www.example.com"'], WWW | {"transport": "tcp"}, id="over TCP"
        ),
        pytest.param(
            ["service=dns", "protocol=udp"], {"type": "dns", "query": ".", "record_type": "NS"}, id="no request"
        ),
        pytest.param(["service=radius", "protocol=udp", *LOGIN], RADIUS, id="login"),
        pytest.param(["service=radius", "protocol=udp"], NOBODY, id="no login"),
        pytest.param(["service=sip", "protocol=udp", 'login="a@b"'], {"type": "sip", "user": "a@b"}, id="sip"),
        pytest.param(["service=sip", "protocol=tcp"], {"type": "sip", "transport": "tcp"}, id="sip over TCP"),
    ],
)
def test_check_of(directives: list[str], expected: dict[str, Any]) -> None:
    """A check table that does what ldirectord does, or better."""
    made = check(*directives, virtual="203.0.113.1:1053", real="192.0.2.1:1053 masq")

    assert {key: value for key, value in made.items() if key != "timeout"} == expected


def test_request_of_a_server_comes_first() -> None:
    """What stands in the line of a real server counts more than the service's own."""
    made = check(
        "service=dns", "protocol=udp", 'request="www.example.com"', 'receive="x"',
        real='192.0.2.1:80 masq 1 "ns.example.com", "y"',
    )  # fmt: skip

    assert (made["query"], made["answer_regex"]) == ("ns.example.com", "y")


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        (
            ["service=dns", 'receive="x"'],
            "warning line 3: service=dns has no request: the name servers of the root are asked for",
        ),
        (
            ["service=dns", 'request="www.example.com"'],
            "warning line 3: service=dns without receive: any record passes; ldirectord reports the server as down",
        ),
        (
            ["service=dns", 'request="www"', 'receive="x"'],
            'warning line 4: "www" is asked for as it is; ldirectord appends the domains of /etc/resolv.conf',
        ),
        (
            ["service=dns", 'request="a..b"', 'receive="x"'],
            "error line 4: request: must be a domain name, like www.example.com",
        ),
        (
            ["service=radius", 'login="me"', 'passwd="x"'],
            "warning line 3: service=radius has no secret, without which no server answers: it is down",
        ),
        (
            ["service=radius", 'secret="x"'],
            "warning line 3: service=radius has no login: it is enough that the server answers",
        ),
        (["service=sip", 'login="a b"'], "error line 4: login: must be a SIP user"),
    ],
)
def test_what_is_not_as_with_ldirectord_is_told(directives: list[str], expected: str) -> None:
    """And what cannot be used, by the line that it comes from."""
    text = "virtual=203.0.113.1:1053\n\treal=192.0.2.1:1053 masq\n\t" + "\n\t".join(directives) + "\n"

    assert any(line.startswith(expected) for line in told(text)), told(text)
