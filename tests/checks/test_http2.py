from __future__ import annotations

import contextlib
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent import __version__
from lvs_agent.checks.kinds.http.response import ProtocolViolation
from lvs_agent.checks.kinds.http2 import Settings
from lvs_agent.checks.kinds.http2.exchange import Http2Reader, Request
from lvs_agent.model.check import CheckResult, Failed, FailureReason, HttpFacts, Passed
from tests.checks.conftest import Certificates
from tests.checks.http2_servers import Answer, Peer, healthy, http2_context, serving_status, speaking
from tests.checks.servers import answering, failed_with, ok, passed_with, result_of, run, serving, spec, until


def answered(answer: Answer, **settings: Any) -> CheckResult:
    """The result of a check of a server that answers so, without TLS."""

    async def main() -> CheckResult:
        async with serving(speaking(answer)) as port:
            return await result_of(spec("http2", port=port, **settings))

    return run(main())


def test_request_is_in_the_form_of_http2() -> None:
    """Names of headers in lower case, the virtual host as authority, nothing about the connection."""
    seen: dict[str, str] = {}

    async def answer(peer: Peer) -> None:
        seen.update(peer.headers)
        await peer.answer()

    asked = {"method": "POST", "path": "/a?b", "virtual_host": "www.example.com", "headers": {"X-Check": "1"}}
    result = answered(answer, **asked)

    assert result == passed_with(200)
    assert seen == {
        ":method": "POST",
        ":scheme": "http",
        ":authority": "www.example.com",
        ":path": "/a?b",
        "user-agent": f"lvs-agent/{__version__}",
        "accept": "*/*",
        "x-check": "1",
        "content-length": "0",
    }


@pytest.mark.parametrize(("kind", "answer"), [("http2", healthy), ("grpc", serving_status)])
def test_ipv6_address_is_bracketed_in_the_authority(kind: str, answer: Answer) -> None:
    """As in every URL (RFC 3986, 3.2.2)."""
    seen: dict[str, str] = {}

    async def noting(peer: Peer) -> None:
        seen.update(peer.headers)
        await answer(peer)

    async def main() -> None:
        async with serving(speaking(noting), address="::1") as port:
            assert isinstance(await result_of(spec(kind, port=port, address="::1")), Passed)
            assert seen[":authority"] == f"[::1]:{port}"

    run(main())


async def announcing_the_end(peer: Peer) -> None:
    """The server will take no further request, but answers this one."""
    goaway = b"\x00\x00\x08\x07" + bytes(5) + (1).to_bytes(4, "big") + bytes(4)
    peer.writer.write(goaway)
    await peer.answer()


async def in_two_steps(peer: Peer) -> None:
    """A hint before the answer, and trailers behind it."""
    peer.h2.send_headers(1, [(":status", "103"), ("link", "</a>")])
    peer.h2.send_headers(1, [(":status", "200")])
    peer.h2.send_data(1, b"te")
    peer.h2.send_data(1, b"st\n")
    peer.h2.send_headers(1, [("x-end", "1")], end_stream=True)
    await peer.flush()


async def without_end(peer: Peer) -> None:
    """As much as the limit, and then nothing."""
    peer.h2.send_headers(1, [(":status", "200")])
    peer.h2.send_data(1, b"test")
    await peer.flush()


@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        pytest.param(healthy, {"body_contains": "test"}, id="text"),
        pytest.param(announcing_the_end, {"body_contains": "test"}, id="GOAWAY without an error"),
        pytest.param(in_two_steps, {"body_regex": "^test$"}, id="interim response and trailers"),
        pytest.param(without_end, {"body_contains": "test", "body_limit": "4B"}, id="limit of the body reached"),
        pytest.param(without_end, {}, id="body not wanted"),
        pytest.param(lambda peer: peer.answer(status=404), {"status": [404]}, id="404 that passes"),
        pytest.param(lambda peer: peer.answer(body=b""), {"method": "HEAD"}, id="HEAD"),
    ],
)
def test_healthy_answer_passes(answer: Answer, settings: dict[str, Any]) -> None:
    """Answers as the settings want them."""
    assert isinstance(answered(answer, **settings), Passed)


async def resetting(peer: Peer) -> None:
    """In the middle of the body."""
    peer.h2.send_headers(1, [(":status", "200")])
    peer.h2.send_data(1, b"te")
    peer.h2.reset_stream(1, error_code=2)
    await peer.flush()


async def refusing(peer: Peer) -> None:
    """GOAWAY with an error, before an answer."""
    peer.h2.close_connection(error_code=11)
    await peer.flush()


async def leaving(peer: Peer) -> None:
    """GOAWAY that takes not even this request, and the end."""
    peer.h2.close_connection(last_stream_id=0)
    await peer.flush()


@pytest.mark.parametrize(
    ("answer", "settings", "failure"),
    [
        pytest.param(
            lambda peer: peer.answer(status=503), {}, failed_with(503), id="status"
        ),
        pytest.param(
            healthy, {"body_contains": "other"},
            Failed(FailureReason.CONTENT, "5 bytes of body without the text of body_contains"), id="no text",
        ),
        pytest.param(
            resetting, {"body_contains": "test"},
            Failed(FailureReason.PROTOCOL, "the server has reset the stream after 2 bytes of a longer body:"
                   " INTERNAL_ERROR"), id="stream reset",
        ),
        pytest.param(
            refusing, {},
            Failed(FailureReason.PROTOCOL, "the server has ended the connection without a response:"
                   " ENHANCE_YOUR_CALM"), id="GOAWAY with an error",
        ),
        pytest.param(
            leaving, {},
            Failed(FailureReason.PROTOCOL, "the server has ended the connection without a response: NO_ERROR"),
            id="GOAWAY without us",
        ),
        pytest.param(
            healthy, {"paths": ["/a", "/b"], "status": [204]},
            Failed(FailureReason.STATUS, "/a: status 200"), id="first of several paths",
        ),
        pytest.param(
            lambda peer: peer.answer(status=302, location="https://127.0.0.1/"), {"follow_redirects": 1},
            Failed(FailureReason.STATUS, "redirect to https, which this check does not follow"), id="redirect",
        ),
    ],
)  # fmt: skip
def test_wrong_answer_fails(answer: Answer, settings: dict[str, Any], failure: Failed) -> None:
    """Answers that say: this server does not serve."""
    assert answered(answer, **settings) == failure


def test_server_of_http_1_fails() -> None:
    """It says itself which version it speaks."""

    async def main() -> None:
        async with serving(answering(ok())) as port:
            assert await result_of(spec("http2", port=port)) == Failed(
                FailureReason.PROTOCOL, "the server speaks HTTP/1.1 here, not HTTP/2"
            )

    run(main())


def test_connection_is_left_in_order() -> None:
    """The server gets a GOAWAY before the end, and need not guess."""
    peers: list[Peer] = []

    async def answer(peer: Peer) -> None:
        peers.append(peer)
        await peer.answer()

    async def main() -> None:
        async with serving(speaking(answer)) as port:
            await result_of(spec("http2", port=port))
            await until(lambda: b"\x00\x00\x08\x07" in peers[0].seen)

    run(main())


def test_certificate_goes_with_the_result(certificates: Certificates) -> None:
    """Over TLS, the name is verified and the expiry told, as with https."""
    good = certificates.good

    async def main(**tls: Any) -> CheckResult:
        async with serving(speaking(healthy), tls=http2_context(good)) as port:
            return await result_of(spec("http2", port=port, tls=tls))

    trusted, untrusted = run(main(ca_file=str(good.path))), run(main())

    assert trusted == Passed("status 200", good.not_after, http=HttpFacts(200))
    assert untrusted == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")


@pytest.mark.parametrize(
    ("protocols", "failure"),
    [
        ([], Failed(FailureReason.PROTOCOL, "the server did not select HTTP/2 in the TLS handshake (ALPN)")),
        (
            ["http/1.1"],
            Failed(FailureReason.PROTOCOL, "the server did not select HTTP/2 in the TLS handshake (ALPN)"),
        ),
    ],
)
def test_tls_server_without_http2_fails(certificates: Certificates, protocols: list[str], failure: Failed) -> None:
    """Clients would speak HTTP/1.1 with it, however well it answers."""
    context = certificates.good.server_context()
    context.set_alpn_protocols(protocols)

    async def main() -> None:
        async with serving(speaking(healthy), tls=context) as port:
            result = await result_of(spec("http2", port=port, tls={"verify": False}))

        assert result == Failed(failure.reason, failure.detail, certificates.good.not_after)

    run(main())


@pytest.mark.parametrize("name", ["Keep-Alive", "proxy-connection"])
def test_headers_of_http_1_are_refused(name: str) -> None:
    """HTTP/2 forbids them (RFC 9113, 8.2.2), and a server would take the request for broken."""
    with pytest.raises(ValidationError, match=f"HTTP/2 does not allow the header {name}"):
        Settings.model_validate({"headers": {name: "x"}})


SETTINGS = b"\x00\x00\x00\x04" + bytes(5)


def reader(*, body_limit: int = 100) -> Http2Reader:
    """One that waits for the response."""
    request = Request(method="GET", scheme="http", authority="a", path="/", headers=())
    return Http2Reader(request, body_limit=body_limit)


def response(pieces: list[bytes]) -> bytes:
    """All that a server sends for one request, its body in these pieces."""
    server = H2Connection(config=H2Configuration(client_side=False))
    server.initiate_connection()
    server.receive_data(reader().outgoing())
    server.send_headers(1, [(":status", "200"), ("x-name", "1"), ("x-name", "2")])
    for piece in pieces:
        server.send_data(1, piece)
    server.end_stream(1)
    return server.data_to_send()


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=4), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_response_is_the_same_in_pieces_of_any_size(pieces: list[bytes], size: int) -> None:
    """How it is cut on the way does not matter."""
    sent = response(pieces)
    found = reader(body_limit=200)
    ends = [found.take(sent[start : start + size]) for start in range(0, len(sent), size)]

    assert ends[-1]
    assert not any(ends[:-1])
    assert found.status == 200
    assert found.header("x-name") == "1, 2"
    assert found.body == b"".join(pieces)


@given(st.binary(min_size=1, max_size=200), st.booleans())
@settings(max_examples=60, deadline=None)
def test_garbage_is_a_violation_or_no_answer(data: bytes, after_settings: bool) -> None:  # noqa: FBT001
    """Whatever comes, nothing but a ProtocolViolation is raised."""
    found = reader()
    with contextlib.suppress(ProtocolViolation):
        found.take((SETTINGS if after_settings else b"") + data)

    assert not found.complete


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_broken_response_is_a_violation_or_an_answer(data: st.DataObject) -> None:
    """A byte that is wrong somewhere raises nothing but a ProtocolViolation."""
    sent = bytearray(response([b"test"]))
    sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    found = reader()

    with contextlib.suppress(ProtocolViolation):
        found.take(bytes(sent))


def test_end_of_the_connection_says_how_far_it_came() -> None:
    """Before a response, and within its body."""
    nothing, half = reader(), reader()
    half.take(response([b"test"])[:-9])

    for found, words in ((nothing, "without a response"), (half, "after 4 bytes of a longer body")):
        with pytest.raises(ProtocolViolation, match=f"connection closed {words}"):
            found.take(b"")


def test_number_of_frames_is_limited() -> None:
    """Frames that bring nothing forward end the probe, before they cost much."""
    found = reader()
    found.take(SETTINGS)

    with pytest.raises(ProtocolViolation, match="more than 2048 frames"):
        found.take((b"\x00\x00\x08\x06" + bytes(5) + b"12345678") * 2_100)
