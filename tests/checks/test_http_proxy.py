from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lvs_agent import __version__
from lvs_agent.checks.kinds.http_proxy import Settings
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, HttpFacts, Passed
from tests.checks import servers
from tests.checks.conftest import Certificates
from tests.checks.servers import Handler, answering, failed_with, ok, passed_with, result_of, run, serving, spec

ROOT = Path(__file__).parents[2]
URL = "http://www.example.com/a?b"


def checked(handler: Handler, *, address: str = "127.0.0.1", **settings: Any) -> CheckResult:
    """The result of a check of a proxy that behaves so."""

    async def main() -> CheckResult:
        async with serving(handler, address=address) as port:
            return await result_of(spec("http_proxy", port=port, address=address, **{"url": URL} | settings))

    return run(main())


async def relaying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proxy for tunnels."""
    host, port = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().rsplit(":", 1)
    there_reader, there_writer = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_piped(reader, there_writer), name="to the server")
            group.create_task(_piped(there_reader, writer), name="to the client")
    finally:
        there_writer.close()


async def _piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(*servers.CONNECTIONS_GONE, RuntimeError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_proxy_is_asked_for_the_whole_url(address: str) -> None:
    """In the absolute form, with credentials for the proxy alone, and no connection to keep."""
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ok())

    result = checked(handle, address=address, user="check", password="sécret", headers={"X-Check": "1"})
    line, *lines = seen[0].decode().rstrip("\r\n").split("\r\n")

    assert result == passed_with(200)
    assert line == f"GET {URL} HTTP/1.1"
    assert sorted(lines) == [
        "Accept: */*",
        "Connection: close",
        "Host: www.example.com",
        f"Proxy-Authorization: Basic {b64encode('check:sécret'.encode()).decode()}",
        f"User-Agent: lvs-agent/{__version__}",
        "X-Check: 1",
    ]


@pytest.mark.parametrize(
    ("response", "settings", "result"),
    [
        pytest.param(ok(), {"body_contains": "test"}, passed_with(200), id="text"),
        pytest.param(ok(b"x" * 100_000), {"body_regex": "x{9}", "body_limit": "9B"}, passed_with(200), id="limit"),
        pytest.param(ok(), {"method": "HEAD"}, passed_with(200), id="HEAD"),
        pytest.param(
            b"HTTP/1.1 503 Out of order\r\nContent-Length: 0\r\n\r\n", {},
            failed_with(503, "Out of order"), id="status",
        ),
        pytest.param(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", {},
            failed_with(407), id="credentials",
        ),
        pytest.param(
            ok(b"other"), {"body_contains": "test"},
            Failed(FailureReason.CONTENT, "5 bytes of body without the text of body_contains"), id="no text",
        ),
        pytest.param(
            b"", {}, Failed(FailureReason.PROTOCOL, "Server disconnected without sending a response."), id="nothing"
        ),
        pytest.param(
            b"HTTP/1.1 403 Forbidden\r\n\r\n", {"url": "https://www.example.com/"},
            Failed(FailureReason.STATUS, "no tunnel: status 403"), id="tunnel refused",
        ),
        pytest.param(
            b"HTTP/1.1 503 No\x1b[1m way\r\n\r\n", {"url": "https://www.example.com/"},
            Failed(FailureReason.STATUS, "no tunnel: status 503 No?[1m way"),
            id="tunnel refused with control characters",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\n", {"url": "https://www.example.com/"},
            Failed(FailureReason.TLS, "connection closed within TLS"), id="tunnel that ends",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0\r\n" + bytes(40), {"url": "https://www.example.com/"},
            Failed(FailureReason.TLS, "connection closed within TLS"), id="tunnel to elsewhere",
        ),
    ],
)  # fmt: skip
def test_answer_is_judged(response: bytes, settings: dict[str, Any], result: CheckResult) -> None:
    """As that of a server, and a tunnel that does not come about is named so."""
    assert checked(answering(response), **settings) == result


async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each host leads to the next one; the last leads where no proxy goes."""
    url = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    to = {"http://a/": "http://b/", "http://b/": "/c", "http://d/": "ftp://b/", "http://e/": "http://b:x/"}.get(url)
    writer.write(ok() if to is None else f"HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("host", "follow", "passes"),
    [
        ("a", 0, False),
        ("a", 1, False),
        ("a", 2, True),
        ("b", 1, True),
        ("c", 0, True),
        ("d", 3, False),
        ("e", 3, False),
    ],
)
def test_redirects_are_followed_through_the_proxy(host: str, follow: int, passes: bool) -> None:  # noqa: FBT001
    """To any host, as often as asked; never past the proxy."""
    result = checked(redirecting, url=f"http://{host}/", follow_redirects=follow)

    assert result == (passed_with(200) if passes else failed_with(302))


def test_tunnel_ends_at_a_server_with_a_certificate(certificates: Certificates) -> None:
    """It is verified for the name in the URL, and its expiry told."""
    good = certificates.good

    async def main(host: str, **tls: Any) -> CheckResult:
        async with serving(answering(ok()), tls=good.server_context()) as there, serving(relaying) as port:
            return await result_of(spec("http_proxy", port=port, url=f"https://{host}:{there}/", tls=tls))

    trusted = run(main("127.0.0.1", ca_file=str(good.path)))
    unverified = run(main("localhost", verify=False))
    untrusted = run(main("127.0.0.1"))
    other = run(main("localhost", ca_file=str(good.path)))

    assert trusted == unverified == Passed("status 200", good.not_after, http=HttpFacts(200))
    assert untrusted == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")
    assert isinstance(other, Failed)
    assert "localhost" in other.detail


def test_unreadable_file_is_our_own_fault() -> None:
    """It says nothing about the proxy."""
    result = checked(answering(ok()), tls={"ca_file": "/nonexistent/ca.pem"})

    assert result == Errored(ErrorReason.FILE_MISSING, "/nonexistent/ca.pem: no such file or directory")


@pytest.mark.parametrize(
    ("url", "handler", "waited"),
    [
        (URL, servers.silent, "response headers"),
        (URL, servers.dripping_body, "response body"),
        ("https://www.example.com/", servers.silent, "response headers"),
    ],
)
def test_time_runs_out_with_what_was_waited_for(url: str, handler: Handler, waited: str) -> None:
    """The proxy was there, and did not go on."""
    result = checked(handler, url=url, body_contains="test", timeout_s=0.3)

    assert result == Failed(FailureReason.READ_TIMEOUT, f"no answer within 0.3 s: waiting for {waited}")


def test_proxy_that_does_not_accept_is_a_connect_timeout() -> None:
    """Nothing was sent yet."""
    with servers.full_listener() as port:
        result = run(result_of(spec("http_proxy", port=port, url=URL, timeout_s=0.3)))

    assert result == Failed(FailureReason.CONNECT_TIMEOUT, "no answer within 0.3 s: waiting for connection")


def test_environment_chooses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shell has set for its own programs changes nothing; only a real environment can show that."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{servers.unused_port()}")
    monkeypatch.setenv("NO_PROXY", "*")

    assert checked(answering(ok())) == passed_with(200)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Field required"),
        ({"url": "/a"}, "must be an absolute URL"),
        ({"url": "ftp://a/"}, "must be an absolute URL"),
        ({"url": "http:///a"}, "must be an absolute URL"),
        ({"url": "http://a:b/"}, "must be an absolute URL"),
        ({"url": "http://a b/"}, "must be an absolute URL"),
        ({"url": "http://[::1/"}, "must be an absolute URL"),
        ({"url": "http://u:p@a/"}, "must be an absolute URL"),
        ({"url": URL, "user": "x"}, "user and password must be set together"),
        ({"url": URL, "user": "x:y", "password": "z"}, "user must not have a colon"),
        ({"url": URL, "headers": {"Proxy-Authorization": "x"}}, "use user and password for Proxy-Authorization"),
        ({"url": URL, "tls": {"server_name": "x"}}, "tls.server_name has no effect here"),
        ({"url": URL, "path": "/"}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """Every wrong value says what it must be."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(settings)

    assert message in str(raised.value)
