from __future__ import annotations

import asyncio
import pickle
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

import pytest
from pydantic import ValidationError

from lvs_agent import __version__
from lvs_agent.checks.kinds.http import Settings
from lvs_agent.checks.kinds.http.exchange import Location, redirected
from lvs_agent.model.check import Disconnection, Failed, FailureReason, HttpFacts, Passed
from tests.checks import servers
from tests.checks.servers import answering, failed_with, ok, passed_with, result_of, run, serving, spec


async def request_of(address: str = "127.0.0.1", **settings: Any) -> tuple[bytes, int]:
    """The request that a check sends, and the port it went to."""
    seen = bytearray()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ok())

    async with serving(handler=handle, address=address) as port:
        await result_of(spec("http", port=port, address=address, **settings))
    return bytes(seen), port


def test_request_is_as_short_as_may_be() -> None:
    """Without settings: the address as Host, our name, and no connection to keep."""
    request, port = run(request_of())

    assert request.decode() == (
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: lvs-agent/{__version__}\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )


def test_request_says_what_the_settings_say() -> None:
    """Method, path, virtual host and headers, which replace ours."""
    headers = {"User-Agent": "probe", "X-Check": "1"}
    request, _ = run(request_of(method="POST", path="/a?b=c", virtual_host="www.example.com", headers=headers))

    assert request.decode() == (
        "POST /a?b=c HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n"
        "User-Agent: probe\r\nX-Check: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )


def test_ipv6_address_is_bracketed_in_host() -> None:
    """An IPv6 address in Host has its brackets (RFC 9110, 7.2)."""
    request, port = run(request_of(address="::1"))

    assert f"Host: [::1]:{port}\r\n".encode() in request


DIGEST = sha256(b"test\n").hexdigest()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nte\xc3\r\n5\r\n\xa4st A\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("response", "settings"),
    [
        pytest.param(ok(), {}, id="200"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", {"status": [302]}, id="redirect that passes"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\n", {"status": ["200-299", 404]}, id="404 that passes"),
        pytest.param(ok(b"all test well"), {"body_contains": "test"}, id="text"),
        pytest.param(CHUNKED, {"body_contains": "teäst"}, id="text over two chunks"),
        pytest.param(CHUNKED, {"body_regex": "te[äö]st [A-C]$"}, id="regex"),
        pytest.param(ok(), {"method": "HEAD"}, id="HEAD"),
        pytest.param(ok(b"abc" * 1_000), {"body_contains": "cab", "body_limit": "1KiB"}, id="within the limit"),
        pytest.param(ok(b"test\n"), {"body_sha256": DIGEST.upper(), "body_limit": "5B"}, id="SHA-256"),
        pytest.param(CHUNKED, {"body_sha256": sha256("teäst A".encode()).hexdigest()}, id="SHA-256 over two chunks"),
    ],
)
def test_healthy_answer_passes(response: bytes, settings: dict[str, Any]) -> None:
    """Answers as the settings want them."""

    async def main() -> None:
        async with serving(answering(response)) as port:
            assert isinstance(await result_of(spec("http", port=port, **settings)), Passed)

    run(main())


@pytest.mark.parametrize(
    ("response", "settings", "failure"),
    [
        pytest.param(
            b"HTTP/1.1 503 Busy\r\n\r\n", {}, failed_with(503, "Busy"), id="status"
        ),
        pytest.param(
            ok(b"other"), {"body_contains": "test"},
            Failed(FailureReason.CONTENT, "5 bytes of body without the text of body_contains"), id="no text",
        ),
        pytest.param(
            ok(b"other"), {"body_regex": "^test"},
            Failed(FailureReason.CONTENT, "5 bytes of body that body_regex does not match"), id="no match",
        ),
        pytest.param(
            ok(b"x" * 2_000 + b"test"), {"body_contains": "test", "body_limit": "1KiB"},
            Failed(FailureReason.CONTENT, "1024 bytes of body without the text of body_contains"),
            id="text behind the limit",
        ),
        pytest.param(
            ok(b"other"), {"body_sha256": DIGEST},
            Failed(
                FailureReason.CONTENT,
                f"5 bytes of body with another SHA-256, {sha256(b'other').hexdigest()}",
            ),
            id="another SHA-256",
        ),
        pytest.param(
            ok(b"test\n"), {"body_sha256": DIGEST, "body_limit": "4B"},
            Failed(FailureReason.CONTENT, "more than 4 bytes of body, so that its SHA-256 is not known"),
            id="SHA-256 of more than the limit",
        ),
        pytest.param(
            ok(b"test\n"), {"body_sha256": DIGEST, "body_contains": "x"},
            Failed(FailureReason.CONTENT, "5 bytes of body without the text of body_contains"),
            id="SHA-256 alone is not enough",
        ),
        pytest.param(
            b"",
            {},
            Failed(
                FailureReason.PROTOCOL,
                "connection closed without a response",
                http=HttpFacts(disconnection=Disconnection.CLOSED),
            ),
            id="closed at once",
        ),
    ],
)  # fmt: skip
def test_wrong_answer_fails(response: bytes, settings: dict[str, Any], failure: Failed) -> None:
    """Answers that say: this server does not serve."""

    async def main() -> None:
        async with serving(answering(response)) as port:
            assert await result_of(spec("http", port=port, **settings)) == failure

    run(main())


async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """``/n`` leads to ``/n-1``, and ``/0`` is healthy."""
    number = int((await reader.readuntil(b"\r\n\r\n")).split()[1].strip(b"/"))
    location = f"HTTP/1.1 302 Found\r\nLocation: {number - 1}\r\nContent-Length: 0\r\n\r\n".encode()
    writer.write(location if number else ok())


@pytest.mark.parametrize(
    ("path", "follow", "passes"),
    [("/0", 0, True), ("/1", 0, False), ("/1", 1, True), ("/3", 3, True), ("/4", 3, False)],
)
def test_redirects_are_followed_as_often_as_asked(path: str, follow: int, passes: bool) -> None:  # noqa: FBT001
    """None by default; the number is a limit."""

    async def main() -> None:
        async with serving(redirecting) as port:
            result = await result_of(spec("http", port=port, path=path, follow_redirects=follow))

        assert result == (passed_with(200) if passes else failed_with(302))

    run(main())


async def by_path(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """``/wrong`` is, ``/hung`` has no answer, ``/half`` half of one; ``/from`` leads to ``/wrong``."""
    match (await reader.readuntil(b"\r\n\r\n")).split()[1]:
        case b"/wrong":
            writer.write(b"HTTP/1.1 500 Broken\r\n\r\n")
        case b"/from":
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /wrong\r\nContent-Length: 0\r\n\r\n")
        case b"/hung":
            await servers.silent(reader, writer)
        case b"/half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nte")
            await servers.silent(reader, writer)
        case _:
            writer.write(ok())


def test_reset_is_a_fact_beside_the_words() -> None:
    """What makes decisions of a result need not read its sentence."""

    async def main() -> None:
        async with serving(servers.resetting) as port:
            result = await result_of(spec("http", port=port))
            assert result == Failed(
                FailureReason.PROTOCOL, "connection reset by peer", http=HttpFacts(disconnection=Disconnection.RESET)
            )

    run(main())


@pytest.mark.parametrize(
    ("paths", "settings", "result"),
    [
        pytest.param(["/a", "/b", "/c"], {}, Passed("all paths (3)"), id="all pass"),
        pytest.param(["/a"], {}, Passed("all paths (1)"), id="one"),
        pytest.param(
            ["/a", "/wrong", "/b"], {}, Failed(FailureReason.STATUS, "/wrong: status 500 Broken"), id="second is wrong"
        ),
        pytest.param(
            ["/a", "/from"], {"follow_redirects": 1},
            Failed(FailureReason.STATUS, "/from: status 500 Broken"), id="second leads to a wrong one",
        ),
        pytest.param(
            ["/a", "/hung"], {},
            Failed(FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for response headers of /hung"),
            id="second hangs",
        ),
        pytest.param(
            ["/half", "/a"], {"body_contains": "test"},
            Failed(FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for response body of /half"),
            id="first hangs in its body",
        ),
    ],
)  # fmt: skip
def test_every_one_of_several_paths_must_pass(
    paths: list[str], settings: dict[str, Any], result: Passed | Failed
) -> None:
    """All are asked for within the one timeout, and the one that is not as wanted is named."""

    async def main() -> None:
        async with serving(by_path) as port:
            assert await result_of(spec("http", port=port, timeout_s=0.5, paths=paths, **settings)) == result

    run(main())


HERE = Location(8080, "www.example.com", "/a/b?c")


@pytest.mark.parametrize(
    ("to", "there"),
    [
        ("/x", Location(8080, "www.example.com", "/x")),
        ("x?y=z", Location(8080, "www.example.com", "/a/x?y=z")),
        ("http://www.example.com/x", Location(8080, "www.example.com", "/x")),
        ("http://other.example.com/", Location(8080, "other.example.com", "/")),
        ("http://other.example.com:81", Location(81, "other.example.com:81", "/")),
        ("http://192.0.2.7:82/x", Location(82, "192.0.2.7:82", "/x")),
        ("https://www.example.com/", "redirect to https, which this check does not follow"),
        ("http://192.0.2.8/", "redirect to another address, 192.0.2.8"),
        ("http://[::1/", "redirect to something that is not a URL"),
        ("http://a:b/", "redirect to something that is not a URL"),
        ("", "redirect to something that is not a URL"),
        (None, "redirect to something that is not a URL"),
    ],
)
def test_redirect_stays_on_the_address(to: str | None, there: Location | str) -> None:
    """Names and ports may change, the address and the scheme may not."""
    found = redirected(HERE, to, ip_address("192.0.2.7"), scheme="http")

    assert found == (Failed(FailureReason.STATUS, there) if isinstance(there, str) else there)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "GET IT"}, "must be a request method"),
        ({"path": "x"}, 'must be a path that starts with "/"'),
        ({"path": "/a b"}, "without spaces"),
        ({"path": "/a\r\nX: y"}, 'must be a path that starts with "/"'),
        ({"virtual_host": "a b"}, "must be a host name"),
        ({"headers": {"Host": "x"}}, "use virtual_host for Host"),
        ({"headers": {"Connection": "keep-alive"}}, "Connection is set by the check"),
        ({"headers": {"X": "a\r\nY: b"}}, "the value of X must be one line"),
        ({"headers": {"X Y": "a"}}, "'X Y' is not the name of a header"),
        ({"status": []}, "must have at least one status"),
        ({"status": ["299-200"]}, '"299-200" is an empty range'),
        ({"status": [99]}, "a status like 200"),
        ({"status": [True]}, "a status like 200"),
        ({"body_regex": "(a"}, "not a regular expression: missing )"),
        ({"body_contains": "x", "method": "HEAD"}, "need a method other than HEAD"),
        ({"body_sha256": "abc"}, "must be the 64 hexadecimal digits of a SHA-256"),
        ({"body_sha256": DIGEST, "method": "HEAD"}, "need a method other than HEAD"),
        ({"paths": []}, "at least 1 item"),
        ({"paths": "/a"}, "valid tuple"),
        ({"paths": ["/a", "b"]}, 'must be a path that starts with "/"'),
        ({"path": "/a", "paths": ["/b"]}, "only one of path and paths can be given"),
        ({"body_limit": 3}, "must be a size with its unit"),
        ({"body_limit": "2MiB"}, "less than or equal to 1048576"),
        ({"follow_redirects": 11}, "less than or equal to 10"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """Every wrong value says what it must be."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(settings)

    assert message in str(raised.value)


def test_settings_survive_a_round_trip() -> None:
    """Settings travel to other processes, with what was computed from them."""
    settings = Settings.model_validate({"status": [200, "300-302"], "body_regex": "x", "headers": {"A": "b"}})

    assert settings.accepted == {200, 300, 301, 302}
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert pickle.loads(pickle.dumps(settings)).pattern == settings.pattern


def test_probe_does_not_outlive_a_flood() -> None:
    """A body without end passes at once where nothing is asked of it."""

    async def main() -> None:
        async with serving(servers.flooding_body) as port:
            assert await result_of(spec("http", port=port)) == passed_with(200)

    run(main())


def test_request_that_does_not_fit_at_once_is_sent_whole() -> None:
    """What the system's buffers do not take is sent when there is room, and the answer counts as ever."""
    value = "x" * 12_000_000

    async def main() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            end = b""
            while not end.endswith(b"\r\n\r\n"):
                end = (end + await reader.read(1_000_000))[-4:]
            writer.write(ok())

        async with serving(handler=handle) as port:
            check = spec("http", port=port, timeout_s=10.0, headers={"X-Long": value})
            assert await result_of(check) == passed_with(200)

    run(main())
