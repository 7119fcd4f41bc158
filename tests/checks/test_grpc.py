from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.grpc import Settings
from lvs_agent.checks.kinds.grpc.health import ServingStatus, answer, request
from lvs_agent.checks.kinds.http.response import ProtocolViolation
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.http2_servers import Peer, speaking
from tests.checks.servers import result_of, run, serving, spec
from tests.servers.grpc import GrpcServer, grpc_server


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[GrpcServer]:
    """A server of grpcio."""
    with grpc_server(certificates.good.path) as started:
        yield started


def checked(port: int, *, timeout_s: float = 5.0, **settings: Any) -> CheckResult:
    """What a check of ``port`` finds."""
    return run(result_of(spec("grpc", port=port, timeout_s=timeout_s, **settings)))


@pytest.mark.parametrize(
    ("settings", "result"),
    [
        ({}, Passed("SERVING")),
        ({"service": "up"}, Passed("SERVING")),
        ({"service": "down"}, Failed(FailureReason.STATUS, "NOT_SERVING")),
        ({"service": "other"}, Failed(FailureReason.STATUS, "NOT_FOUND")),
        ({"service": "guarded", "metadata": {"authorization": "Bearer right"}}, Passed("SERVING")),
        (
            {"service": "guarded", "metadata": {"authorization": "Bearer wrong"}},
            Failed(FailureReason.STATUS, "UNAUTHENTICATED: who are you? ünknown"),
        ),
        ({"service": "x" * 300}, Failed(FailureReason.STATUS, "NOT_FOUND")),
    ],
)
def test_server_is_as_healthy_as_it_says(server: GrpcServer, settings: dict[str, Any], result: CheckResult) -> None:
    """grpcio's own health service is understood, with every word that it has."""
    assert checked(server.plain, **settings) == result


def test_server_without_the_health_service_fails(server: GrpcServer) -> None:
    """It says that it does not know the method."""
    assert checked(server.bare) == Failed(FailureReason.STATUS, "UNIMPLEMENTED: Method not found!")


def test_tls_is_spoken_and_verified(server: GrpcServer, certificates: Certificates) -> None:
    """With the expiry of the certificate; a certificate that nobody trusts fails."""
    good = certificates.good
    trusted = checked(server.tls, tls={"ca_file": str(good.path)})
    untrusted = checked(server.tls, tls={})

    assert trusted == Passed("SERVING", good.not_after)
    assert untrusted == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")


def test_hung_server_runs_out_of_time(server: GrpcServer) -> None:
    """The kernel accepts for it still, so the answer is what is missing."""
    with server.daemon.hung():
        result = checked(server.plain, timeout_s=0.3)

    assert result == Failed(FailureReason.READ_TIMEOUT, "no answer within 0.3 s: waiting for response headers")


def test_stopped_server_refuses(server: GrpcServer) -> None:
    """Nobody listens any more."""
    with server.daemon.stopped():
        assert checked(server.plain) == Failed(FailureReason.REFUSED, "connection refused")


GRPC = "application/grpc"


async def not_grpc(peer: Peer) -> None:
    """A web server."""
    await peer.answer(content_type="text/html")


async def without_status(peer: Peer) -> None:
    """A message and no trailers."""
    await peer.answer(body=b"\x00\x00\x00\x00\x02\x08\x01", content_type=GRPC)


async def compressed(peer: Peer) -> None:
    """A message with the flag of compression."""
    await peer.answer(body=b"\x01\x00\x00\x00\x02\x08\x01", grpc_status="0", content_type=GRPC)


async def endless(peer: Peer) -> None:
    """More than a message of this service can be."""
    await peer.answer(body=bytes(5_000), grpc_status="0", content_type=GRPC)


async def with_future_status(peer: Peer) -> None:
    """A status that nobody has named yet."""
    await peer.answer(body=b"\x00\x00\x00\x00\x02\x08\x09", grpc_status="0", content_type=GRPC)


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (lambda peer: peer.answer(status=502), Failed(FailureReason.STATUS, "HTTP status 502")),
        (not_grpc, Failed(FailureReason.PROTOCOL, "the answer is not a gRPC response")),
        (without_status, Failed(FailureReason.STATUS, "grpc-status missing")),
        (compressed, Failed(FailureReason.PROTOCOL, "the message is compressed, which was not offered")),
        (endless, Failed(FailureReason.PROTOCOL, "4096 bytes of body that are not one message of gRPC")),
        (with_future_status, Failed(FailureReason.STATUS, "status 9")),
    ],
)
def test_wrong_answer_fails(handler: Any, failure: Failed) -> None:
    """What no server of gRPC says."""

    async def main() -> None:
        async with serving(speaking(handler)) as port:
            assert await result_of(spec("grpc", port=port)) == failure

    run(main())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metadata": {"Authorization": "x"}}, "'Authorization' is not allowed in metadata"),
        ({"metadata": {"grpc-timeout": "x"}}, "'grpc-timeout' is not allowed in metadata"),
        ({"metadata": {"te": "x"}}, "'te' is not allowed in metadata"),
        ({"metadata": {"x": "a\r\nb"}}, "the value of x must be one line of ASCII text"),
        ({"metadata": {"x-bin": "a"}}, "binary metadata (x-bin) cannot be sent"),
        ({"service": 3}, "valid string"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """Every wrong value says what it must be."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(settings)

    assert message in str(raised.value)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
@settings(max_examples=30, deadline=None)
def test_question_is_what_the_library_writes(service: str) -> None:
    """Our codec and that of Protocol Buffers agree."""
    message = health_pb2.HealthCheckRequest(service=service).SerializeToString()

    assert request(service) == b"\x00" + len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize("status", ServingStatus)
def test_answer_is_read_as_the_library_writes_it(status: ServingStatus) -> None:
    """Every status that there is."""
    message = health_pb2.HealthCheckResponse(status=status.value).SerializeToString()

    assert answer(b"\x00" + len(message).to_bytes(4, "big") + message) is status


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_message_is_a_status_or_a_violation(message: bytes) -> None:
    """Where the library can read a message, ours says the same; nothing but a ProtocolViolation is raised."""
    try:
        expected = health_pb2.HealthCheckResponse.FromString(message).status
    except Exception:  # noqa: BLE001 - the library's own errors differ from version to version
        expected = None
    found: object = None
    with contextlib.suppress(ProtocolViolation):
        found = answer(b"\x00" + len(message).to_bytes(4, "big") + message)

    if expected is not None and found is not None:
        assert (found.value if isinstance(found, ServingStatus) else _signed(found)) == expected


def _signed(number: Any) -> int:
    """An enum's value is a number of 32 bits with a sign."""
    return int(number) - (1 << 32) * (number >> 31 & 1) if number < 1 << 32 else int(number & 0xFFFFFFFF)


@given(st.lists(st.sampled_from([b"\x08\x01", b"\x08\x02", b"\x12\x02ab", b"\x19" + bytes(8), b"\x25" + bytes(4)])))
@settings(max_examples=30, deadline=None)
def test_unknown_fields_are_passed_over(parts: list[bytes]) -> None:
    """A server of the future may say more; the last status counts."""
    message = b"".join(parts)
    said = [part[1] for part in parts if part[0] == 8]

    assert answer(b"\x00" + len(message).to_bytes(4, "big") + message) is ServingStatus(said[-1] if said else 0)
