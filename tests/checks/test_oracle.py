import asyncio
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.oracle import Settings
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason
from tests.checks.conftest import Certificates
from tests.checks.servers import Handler, descriptors, result_of, run, serving, silent, spec

LOGIN: dict[str, Any] = {"user": "monitor", "password": "hush-hush"}
REFUSE, REDIRECT, RESEND = 4, 5, 11


def checked(handler: Handler, *, timeout_s: float = 2.0, **keys: Any) -> CheckResult:
    """What a check of this server says."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("oracle", port=port, timeout_s=timeout_s, **{**LOGIN, **keys}))

    return run(main())


def packet(kind: int, payload: bytes) -> bytes:
    """A packet of Oracle's network protocol (TNS), as listeners send them before a session is there."""
    return (8 + len(payload)).to_bytes(2, "big") + bytes([0, 0, kind, 0, 0, 0]) + payload


def refusing(number: int) -> Handler:
    """A listener that hears who is asked for, and refuses."""
    text = f"(DESCRIPTION=(TMP=)(VSNNUM=352321536)(ERR={number})(ERROR_STACK=(ERROR=(CODE={number})(EMFI=4))))"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)
        writer.write(packet(REFUSE, b"\0\0" + len(text).to_bytes(2, "big") + text.encode()))
        await silent(reader, writer)

    return handle


def answering(data: bytes) -> Handler:
    """A server that says this to whatever it hears first."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)
        writer.write(data)
        await silent(reader, writer)

    return handle


@pytest.mark.parametrize(
    ("number", "keys", "words"),
    [
        (12514, {"service_name": "shop"}, 'DPY-6001: Service "shop" is not registered with the listener'),
        (12505, {"sid": "SHOP"}, 'DPY-6003: SID "SHOP" is not registered with the listener'),
        (12516, {"service_name": "shop"}, "DPY-6000: Listener refused connection"),
    ],
)
def test_refusal_of_the_listener_is_told(number: int, keys: dict[str, Any], words: str) -> None:
    """A service that is not there, or that takes no more connections, is the server's status."""
    result = checked(refusing(number), **keys)

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.STATUS
    assert result.detail.startswith(words)


def test_silence_runs_out_of_time() -> None:
    """The detail says what is waited for."""
    checked(refusing(12514), sid="X")  # what is imported once takes its time once

    assert checked(silent, timeout_s=0.2, sid="X") == Failed(
        FailureReason.CONNECT_TIMEOUT, "no answer within 0.2 s: waiting for connection and login"
    )


def test_server_that_hangs_up_is_no_oracle() -> None:
    """The connection is closed in the middle."""

    async def leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)

    assert checked(leaving, sid="X") == Failed(
        FailureReason.PROTOCOL, "DPY-4011: the database or network closed the connection"
    )


def test_certificate_is_verified(certificates: Certificates) -> None:
    """A server with a certificate of nobody's is refused before anything is said."""

    async def main() -> CheckResult:
        async with serving(silent, tls=certificates.good.server_context()) as port:
            return await result_of(spec("oracle", port=port, timeout_s=2.0, sid="X", tls={}, **LOGIN))

    assert run(main()) == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")


def test_file_of_tls_that_is_missing_is_our_fault() -> None:
    """Nothing is sent to a server then."""
    result = checked(silent, sid="X", tls={"ca_file": "/nonexistent"})

    assert isinstance(result, Errored)
    assert result.reason is ErrorReason.FILE_MISSING


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([None, 2, REFUSE, REDIRECT, RESEND, 6, 12]))
@example(b"", REFUSE)
@example(b"\0\0\0\x05(a=b)", REDIRECT)
@example(b"\0\0\xff\xff", REFUSE)
@example(b"\0" * 24, 2)
def test_garbage_fails_and_raises_nothing(garbage: bytes, kind: int | None) -> None:
    """Whatever comes, there is a result with a reason."""
    data = garbage if kind is None else packet(kind, garbage)

    assert isinstance(checked(answering(data), timeout_s=0.1, sid="X"), Failed)


def test_probes_that_run_out_of_time_leave_no_descriptor() -> None:
    """A connection that is not through yet is closed."""
    for server in (silent, answering(packet(RESEND, b""))):
        checked(server, timeout_s=0.1, sid="X")
        before = descriptors()
        checked(server, timeout_s=0.1, sid="X")

        assert descriptors() == before


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "needs either service_name or sid"),
        ({"service_name": "a", "sid": "b"}, "needs either service_name or sid"),
        ({"sid": "b", "password": None}, "needs password"),
        ({"sid": "b", "expect": {}}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(keys: dict[str, Any], message: str) -> None:
    """Every wrong value says what it must be."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate({**LOGIN, **keys})

    assert message in str(raised.value)
