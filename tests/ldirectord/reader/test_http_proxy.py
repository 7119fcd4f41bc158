"""What becomes of the service http_proxy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ldirectord.reader.test_checks import check
from tests.ldirectord.reader.test_servers import told

PROXY = {"type": "http_proxy", "follow_redirects": 7, "timeout": "30s"}
ITSELF = "request is not a whole URL: the proxy is asked for itself; ldirectord mostly reports it as down"

TUNNEL = "https is asked for through a tunnel of the proxy; ldirectord asks the server without the proxy"


def made_of(*directives: str, real: str = "192.0.2.1:3128 masq") -> dict[str, Any]:
    """The check of a proxy with ``directives``."""
    return check(*directives, virtual="203.0.113.1:3128", real=real)


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        pytest.param(['request="http://www.example.com/a b"'], {"url": "http://www.example.com/a%20b"}, id="URL"),
        pytest.param(['request="/http://www.example.com/"'], {"url": "http://www.example.com/"}, id="URL behind a /"),
        pytest.param(
            ['request="http://a/"', 'receive="ok"', "checkport=81"],
            {"url": "http://a/", "body_regex": "ok", "body_limit": "1MiB", "port": 81}, id="receive",
        ),
        pytest.param(["request=http://a/", "httpmethod=HEAD"], {"url": "http://a/", "method": "HEAD"}, id="method"),
        pytest.param(
            ['request="https://a/"'], {"url": "https://a/", "tls": {"verify": False}}, id="https through a tunnel"
        ),
        pytest.param([], {"url": "http://192.0.2.1:3128/"}, id="no request"),
        pytest.param(
            ['request="/a"', "checkport=81"], {"url": "http://192.0.2.1:81/a", "port": 81}, id="path alone"
        ),
    ],
)  # fmt: skip
def test_proxy_is_asked_for_the_url(directives: list[str], expected: dict[str, Any]) -> None:
    """Where the request is one; else for itself."""
    assert made_of(*directives) == PROXY | expected


def test_real_server_may_have_a_url_of_its_own() -> None:
    """It counts before that of the service."""
    made = made_of('request="http://a/"', real='192.0.2.1:3128 masq "http://b/" "well"')

    assert made == PROXY | {"url": "http://b/", "body_regex": "well", "body_limit": "1MiB"}


def test_proxy_of_a_mark_is_asked_at_its_usual_port() -> None:
    """Where no port is written anywhere, Squid's is meant."""
    made = check("service=http_proxy", virtual="7", real="192.0.2.1 gate")

    assert made == PROXY | {"url": "http://192.0.2.1:3128/", "port": 3128}


@pytest.mark.parametrize(
    ("request_", "notes"),
    [
        ("http://a/", []),
        ("/a", [f"warning line 3: {ITSELF}"]),
        (
            "https://a/",
            [f"warning line 3: {TUNNEL}"],
        ),
    ],
)
def test_what_ldirectord_does_otherwise_is_told(request_: str, notes: list[str]) -> None:
    """It never asks a proxy for https, and fails without a whole URL."""
    found = told(f'virtual=203.0.113.1:3128\n\treal=192.0.2.1:3128 masq\n\trequest="{request_}"\n')

    assert [line for line in found if "certificate" not in line] == notes
