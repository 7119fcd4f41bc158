"""The checks of HTTP against nginx, and that of forward proxies against Squid in front of nginx."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.servers import result_of, run, spec
from tests.servers.daemons import needs
from tests.servers.nginx import BODY, Nginx, nginx
from tests.servers.squid import PASSWORD, USER, Squid, squid

pytestmark = needs("nginx", "squid")

KINDS = ["http", "https", "http2", "http2_tls"]
UNVERIFIED: dict[str, Any] = {"tls": {"verify": False}}
AUTHORIZED: dict[str, Any] = {"headers": {"Authorization": "Basic bW9uaXRvcjpzZWNyZXQ="}}


@pytest.fixture(scope="module")
def web(certificates: Certificates) -> Iterator[Nginx]:
    """nginx."""
    with nginx(certificates.good.path) as started:
        yield started


@pytest.fixture(scope="module")
def proxy() -> Iterator[Squid]:
    """Squid."""
    with squid() as started:
        yield started


def asked(web: Nginx, kind: str, *, timeout_s: float = 5.0, **settings: Any) -> CheckResult:
    """What a check finds at the port that is for it."""
    tls = UNVERIFIED if kind in {"https", "http2_tls"} else {}
    port: int = getattr(web, kind)
    return run(result_of(spec(kind.removesuffix("_tls"), port=port, timeout_s=timeout_s, **(tls | settings))))


def proxied(port: int, url: str, *, timeout_s: float = 5.0, **settings: Any) -> CheckResult:
    """What a check of the proxy at ``port`` finds."""
    return run(result_of(spec("http_proxy", port=port, url=url, timeout_s=timeout_s, **(UNVERIFIED | settings))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"body_contains": "ready"}, "status 200"),
        ({"body_sha256": sha256(BODY.encode()).hexdigest()}, "status 200"),
        ({"method": "HEAD"}, "status 200"),
        ({"path": "/moved", "follow_redirects": 1, "virtual_host": "www.example.com"}, "status 200"),
        ({"path": "/private", "body_contains": "ready", **AUTHORIZED}, "status 200"),
        ({"paths": ["/", "/private"], **AUTHORIZED}, "all paths (2)"),
    ],
)
def test_nginx_passes(web: Nginx, kind: str, settings: dict[str, Any], found: str) -> None:
    """It answers as it must, whichever version of HTTP is spoken."""
    result = asked(web, kind, **settings)

    assert isinstance(result, Passed), result
    assert result.detail == found
    assert (result.certificate_not_after is not None) == (kind in {"https", "http2_tls"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "reason", "detail"),
    [
        ({"path": "/broken"}, FailureReason.STATUS, "status 500"),
        ({"path": "/private"}, FailureReason.STATUS, "status 401"),
        ({"path": "/private", "headers": {"Authorization": "Basic eDp5"}}, FailureReason.STATUS, "status 401"),
        ({"paths": ["/", "/broken"]}, FailureReason.STATUS, "/broken: status 500"),
        ({"body_contains": "other"}, FailureReason.CONTENT, "6 bytes of body without the text of body_contains"),
        (
            {"body_sha256": "0" * 64}, FailureReason.CONTENT,
            f"6 bytes of body with another SHA-256, {sha256(BODY.encode()).hexdigest()}",
        ),
    ],
)  # fmt: skip
def test_wrong_answer_of_nginx_fails(
    web: Nginx, kind: str, settings: dict[str, Any], reason: FailureReason, detail: str
) -> None:
    """Another status, missing or wrong credentials, another body."""
    result = asked(web, kind, **settings)

    assert isinstance(result, Failed), result
    assert (result.reason, result.detail) == (reason, detail)


def test_nginx_of_the_other_version_fails(web: Nginx) -> None:
    """A server of one version of HTTP alone fails a check of the other; with TLS that shows in the handshake."""
    results = [
        run(result_of(spec("http2", port=web.http))),
        run(result_of(spec("http2", port=web.https, **UNVERIFIED))),
        run(result_of(spec("http", port=web.http2))),
    ]

    assert [result.reason for result in results if isinstance(result, Failed)] == [
        FailureReason.PROTOCOL,
        FailureReason.TLS,
        FailureReason.PROTOCOL,
    ]


def test_hung_nginx_runs_out_of_time(web: Nginx) -> None:
    """The kernel accepts for it still; what is missing is named."""
    with web.daemon.hung():
        results = {kind: asked(web, kind, timeout_s=0.3) for kind in KINDS}

    assert {kind: (result.reason, result.detail) for kind, result in results.items() if isinstance(result, Failed)} == {
        kind: (FailureReason.READ_TIMEOUT, f"no answer within 0.3 s: waiting for {what}")
        for kind, what in zip(KINDS, ["response headers", "TLS handshake"] * 2, strict=True)
    }


def test_stopped_nginx_refuses(web: Nginx) -> None:
    """Nobody listens any more."""
    with web.daemon.stopped():
        results = [asked(web, kind) for kind in KINDS]

    assert results == [Failed(FailureReason.REFUSED, "connection refused")] * 4


def test_squid_passes(web: Nginx, proxy: Squid) -> None:
    """It fetches http URLs, tunnels https ones, and takes the right credentials."""
    plain, secure = f"http://127.0.0.1:{web.http}", f"https://127.0.0.1:{web.https}"
    results = [
        proxied(proxy.port, f"{plain}/", body_contains="ready"),
        proxied(proxy.port, f"{plain}/moved", follow_redirects=1),
        proxied(proxy.port, f"{secure}/", body_contains="ready"),
        proxied(proxy.guarded, f"{plain}/", user=USER, password=PASSWORD),
        proxied(proxy.guarded, f"{secure}/", user=USER, password=PASSWORD),
    ]

    assert [isinstance(result, Passed) for result in results] == [True] * 5, results


def test_squid_in_the_way_fails(web: Nginx, proxy: Squid) -> None:
    """Wrong or no credentials, a rule of its own, nobody behind it, a wrong answer from there."""
    plain, secure = f"http://127.0.0.1:{web.http}", f"https://127.0.0.1:{web.https}"
    wrong: dict[str, Any] = {"user": USER, "password": "wrong"}
    found = [
        proxied(proxy.guarded, f"{plain}/", **wrong),
        proxied(proxy.guarded, f"{secure}/", **wrong),
        proxied(proxy.guarded, f"{secure}/"),
        proxied(proxy.port, f"{plain}/forbidden"),
        proxied(proxy.port, "http://127.0.0.1:9/"),
        proxied(proxy.port, "https://127.0.0.1:9/"),
        proxied(proxy.port, f"{plain}/broken"),
        proxied(proxy.port, f"{plain}/", body_contains="other"),
    ]

    assert [(result.reason.value, result.detail) for result in found if isinstance(result, Failed)] == [
        ("status", "status 407"),
        ("status", "no tunnel: status 407"),
        ("status", "no tunnel: status 407"),
        ("status", "status 403"),
        ("status", "status 503"),
        ("status", "no tunnel: status 503"),
        ("status", "status 500"),
        ("content", "6 bytes of body without the text of body_contains"),
    ]


def test_hung_squid_runs_out_of_time(proxy: Squid) -> None:
    """The kernel accepts for it still."""
    with proxy.daemon.hung():
        result = proxied(proxy.port, "http://127.0.0.1/", timeout_s=0.3)

    assert result == Failed(FailureReason.READ_TIMEOUT, "no answer within 0.3 s: waiting for response headers")


def test_hung_server_behind_squid_runs_out_of_time(web: Nginx, proxy: Squid) -> None:
    """Squid waits for it, and the check does not wait for Squid."""
    with web.daemon.hung():
        plain = proxied(proxy.port, f"http://127.0.0.1:{web.http}/", timeout_s=0.3)
        secure = proxied(proxy.port, f"https://127.0.0.1:{web.https}/", timeout_s=0.3)

    assert plain == Failed(FailureReason.READ_TIMEOUT, "no answer within 0.3 s: waiting for response headers")
    assert secure == Failed(
        FailureReason.READ_TIMEOUT, "no answer within 0.3 s: waiting for TLS handshake through the proxy"
    )


def test_stopped_squid_refuses(proxy: Squid) -> None:
    """Nobody listens any more."""
    with proxy.daemon.stopped():
        assert proxied(proxy.port, "http://127.0.0.1/") == Failed(FailureReason.REFUSED, "connection refused")
