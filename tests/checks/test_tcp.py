from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.tcp import Settings
from lvs_agent.checks.kinds.tcp.steps import Step
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks import servers
from tests.checks.conftest import Certificates
from tests.checks.servers import Handler, result_of, run, serving, spec
from tests.checks.text_servers import saying, talking


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_accepting_server_passes(address: str) -> None:
    """The connection is all that is asked."""

    async def main() -> None:
        async with serving(servers.silent, address=address) as port:
            assert await result_of(spec("tcp", port=port, address=address)) == Passed("connected")

    run(main())


def test_refusing_server_fails() -> None:
    """Nobody listens."""
    result = run(result_of(spec("tcp", port=servers.unused_port())))

    assert result == Failed(FailureReason.REFUSED, "connection refused")


def test_full_backlog_is_a_connect_timeout() -> None:
    """A listener that accepts nothing any more lets connections hang."""

    async def main() -> None:
        with servers.full_listener() as port:
            assert await result_of(spec("tcp", port=port, timeout_s=0.2)) == Failed(
                FailureReason.CONNECT_TIMEOUT, "no answer within 0.2 s: waiting for connection"
            )

    run(main())


def test_running_out_of_descriptors_is_our_own_fault() -> None:
    """With no descriptor left the probe says nothing about the server."""

    async def main() -> None:
        async with serving(servers.silent) as port, servers.engine_running() as (engine, reports):
            engine.configure([spec("tcp", port=port)])
            with servers.no_descriptors_left():
                result = (await reports.get()).result

            assert isinstance(result, Errored)
            assert result.reason is ErrorReason.NO_DESCRIPTORS

    run(main())


def talked(handler: Handler, *, timeout_s: float = 1.0, **keys: Any) -> CheckResult:
    """The result of one check with steps."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("tcp", port=port, timeout_s=timeout_s, **keys))

    return run(main())


ECHO = talking(
    {"PING": b"+PONG\r\n", "STATUS": b"state: ok\r\nload: 7\r\n", "NUL": b"\x00\xffz"}, greeting=b"+READY\r\n"
)


@pytest.mark.parametrize(
    ("steps", "detail"),
    [
        pytest.param([{"expect": "READY"}], "as expected", id="greeting"),
        pytest.param([{"send": "PING\r\n", "expect": "+PONG\r\n"}], "as expected", id="passes over what comes before"),
        pytest.param(
            [{"expect": "+READY"}, {"send": "PING\r\n"}, {"send": "STATUS\n"}, {"expect": "PONG"}, {"expect": "ok"}],
            "5 steps",
            id="in order",
        ),
        pytest.param(
            [{"send": "STATUS\n", "expect_regex": "^state: (ok|busy)\r?$"}], "as expected", id="regex by line"
        ),
        pytest.param([{"send": "STATUS\n", "expect_regex": "^load"}, {"expect": ": 7"}], "2 steps", id="rest is left"),
        pytest.param([{"send_hex": "4e 55 4c 0a", "expect_hex": "00FF"}, {"expect": "z"}], "2 steps", id="hex"),
        pytest.param(
            [{"send": "NUL\n", "expect_regex": "READY(?s:.*)\x00"}, {"expect_hex": "ff7a"}],
            "2 steps",
            id="regex over bytes that are no text",
        ),
        pytest.param([{"send": "anything"}], "as expected", id="only said"),
    ],
)
def test_steps_that_are_answered_pass(steps: list[dict[str, str]], detail: str) -> None:
    """Text, regular expressions and bytes, one step after the other."""
    assert talked(ECHO, steps=steps) == Passed(detail)


@pytest.mark.parametrize(
    ("handler", "keys", "expected"),
    [
        pytest.param(
            ECHO,
            {"steps": [{"expect": "READY"}, {"send": "QUIT\n", "expect": "READY"}]},
            Failed(FailureReason.CONTENT, r"step 2: not what is expected: '\r\n'"),
            id="found once only",
        ),
        pytest.param(
            servers.garbage,
            {"steps": [{"expect": "READY"}]},
            Failed(FailureReason.CONTENT, r"step 1: not what is expected: '220 mail.example.com ESMTP\r\n'"),
            id="other answer",
        ),
        pytest.param(
            talking({}),
            {"steps": [{"send": "QUIT\n", "expect": "x"}]},
            Failed(FailureReason.PROTOCOL, "step 1: the server has closed the connection"),
            id="no answer",
        ),
        pytest.param(
            saying(b"abcdefgh"),
            {"steps": [{"expect_regex": "h"}], "read_limit": "7B"},
            Failed(FailureReason.CONTENT, "step 1: not what is expected within read_limit: 'abcdefg'"),
            id="limit",
        ),
        pytest.param(
            saying(b"-ERR\n"),
            {"steps": [{"expect": "+OK"}], "timeout_s": 0.3},
            Failed(
                FailureReason.READ_TIMEOUT,
                r"no answer within 0.3 s: waiting for step 1: what is expected, so far '-ERR\n'",
            ),
            id="waited for in vain",
        ),
    ],
)  # fmt: skip
def test_steps_that_are_not_answered_fail(handler: Handler, keys: dict[str, Any], expected: CheckResult) -> None:
    """With the step, and what came instead."""
    assert talked(handler, **keys) == expected


def test_pieces_are_put_together() -> None:
    """How the network cuts an answer does not matter, not even within a letter."""
    handler = saying(b"st", "ä".encode()[:1], "ä".encode()[1:], b"te\r", b"\nEND")

    assert talked(handler, steps=[{"expect_regex": "^st[ä]te\r\n"}, {"expect": "END"}]) == Passed("2 steps")


@pytest.mark.parametrize("steps", [[{"send": "a b"}, {"expect": "3"}], [{"expect": "0"}]])
def test_half_closed_connection_is_answered(steps: list[dict[str, str]]) -> None:
    """A server that counts all of its input answers at the end of it."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{len(await reader.read())}\n".encode())
        await writer.drain()

    assert isinstance(talked(count, steps=steps, half_close=True), Passed)
    assert isinstance(talked(count, steps=steps, timeout_s=0.2), Failed)


def test_tls_without_steps_is_a_handshake(certificates: Certificates) -> None:
    """The certificate is looked at, and its end told; with steps, they are spoken within TLS."""

    async def main() -> list[CheckResult]:
        async with serving(ECHO, tls=certificates.good.server_context()) as port:
            tls = {"ca_file": str(certificates.good.path)}
            return [
                await result_of(spec("tcp", port=port, tls=tls)),
                await result_of(spec("tcp", port=port, tls=tls, steps=[{"expect": "+READY"}])),
                await result_of(spec("tcp", port=port, tls={})),
            ]

    connected, heard, untrusted = run(main())

    assert connected == Passed("connected", certificates.good.not_after)
    assert heard == Passed("as expected", certificates.good.not_after)
    assert isinstance(untrusted, Failed)
    assert untrusted.reason is FailureReason.TLS


@settings(max_examples=100)
@given(st.text(min_size=1, max_size=3), st.binary(max_size=30), st.binary(max_size=30))
def test_what_is_found_is_taken_and_no_more(wanted: str, before: bytes, after: bytes) -> None:
    """The end of a match is where the bytes end that were found first, for texts and regular expressions alike."""
    data = before + wanted.encode() + after
    literal = Step(expect=wanted).end_of_match(data)
    found = Step(expect_regex=f"{re.escape(wanted)}|(?!)").end_of_match(data)

    assert literal is not None
    assert data[:literal].endswith(wanted.encode())
    assert literal <= len(before) + len(wanted.encode())
    assert found is None or data[:found].endswith(wanted.encode())


@settings(max_examples=100)
@given(st.binary(max_size=40))
def test_any_bytes_can_be_looked_through(data: bytes) -> None:
    """No input raises anything, and all of it can be matched."""
    assert Step(expect_regex="(?s).*").end_of_match(data) == len(data)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"steps": [{}]}, "a step needs something to send or to expect"),
        ({"steps": [{"send": "a", "send_hex": "61"}]}, "only one of send and send_hex can be in a step"),
        ({"steps": [{"expect": "a", "expect_hex": "61"}]}, "only one of expect, expect_regex and expect_hex can be in"),
        ({"steps": [{"send_hex": "abc"}]}, "must be pairs of hexadecimal digits"),
        ({"steps": [{"expect_regex": "("}]}, "not a regular expression"),
        ({"half_close": True}, "half_close needs steps, and is not possible over TLS"),
        (
            {"half_close": True, "steps": [{"send": "a"}], "tls": {}},
            "half_close needs steps, and is not possible over TLS",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, Any], problem: str) -> None:
    """In one sentence."""
    with pytest.raises(ValidationError, match=problem):
        Settings(**keys)
