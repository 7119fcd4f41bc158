from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.udp import Settings, _shown
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.datagram_servers import Answers, hearing, refusing_port, silent
from tests.checks.servers import result_of, run, spec


def asked(answers: Answers, *, address: str = "127.0.0.1", timeout_s: float = 1.0, **settings: Any) -> CheckResult:
    """The result of a check of a server with these answers."""

    async def main() -> CheckResult:
        async with hearing(answers, address=address) as (port, _):
            return await result_of(spec("udp", port=port, address=address, timeout_s=timeout_s, **settings))

    return run(main())


def echo(question: bytes) -> list[bytes]:
    """What comes goes back."""
    return [question]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_any_answer_passes(address: str) -> None:
    """Also an empty one, to an empty datagram."""
    assert asked(echo, address=address) == Passed("answer of 0 bytes")


@pytest.mark.parametrize(
    "settings",
    [
        {"send": "wie spät?\r\n", "expect": "spät"},
        {"send": "ready 7", "expect_regex": r"^ready \d+$"},
        {"send_hex": "00 ff 0102", "expect_hex": "ff01"},
        {"send_hex": "00ff41", "expect": "A"},
        {"send": "x", "reply": "optional", "expect": "x"},
    ],
)
def test_expected_answer_passes(settings: dict[str, Any]) -> None:
    """As text, by regular expression, and as bytes."""
    assert isinstance(asked(echo, **settings), Passed)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"send": "busy\n", "expect": "ready"}, "busy"),
        ({"send": "busy", "expect_regex": "^ready"}, "busy"),
        ({"send_hex": "0102030405", "expect_hex": "ff"}, "01020304 05"),
        ({"expect": "ready"}, "an empty answer"),
        ({"send": "busy", "expect": "ready", "reply": "optional"}, "busy"),
    ],
)
def test_other_answer_fails(settings: dict[str, Any], shown: str) -> None:
    """What came is shown: text as text, everything else in hexadecimal digits."""
    assert asked(echo, **settings) == Failed(FailureReason.CONTENT, f"not as expected: {shown}")


def test_silence_fails() -> None:
    """A server that hangs does not look like one that works."""
    assert asked(silent, timeout_s=0.1) == Failed(
        FailureReason.READ_TIMEOUT, "no answer within 0.1 s: waiting for an answer"
    )


def test_silence_passes_where_no_answer_is_required() -> None:
    """After a while in which an ICMP error could have come."""
    assert asked(silent, reply="optional", wait="50ms") == Passed("no answer, and no ICMP error")


@pytest.mark.parametrize("reply", ["required", "optional"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_closed_port_fails(reply: str, address: str) -> None:
    """The ICMP error counts, whether an answer is required or not."""
    check = spec("udp", port=refusing_port(address=address), address=address, reply=reply)

    assert run(result_of(check)) == Failed(FailureReason.REFUSED, "connection refused")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"send": "x", "send_hex": "00"}, "only one of send and send_hex"),
        ({"expect": "x", "expect_regex": "x"}, "only one of expect, expect_regex and expect_hex"),
        ({"send_hex": "0"}, "at least 2"),
        ({"send_hex": "xx"}, "must be pairs of hexadecimal digits"),
        ({"reply": "maybe"}, "Input should be"),
        ({"wait": "0s"}, "greater than or equal to 0.01"),
    ],
)
def test_unusable_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """When the configuration is read."""
    with pytest.raises(ValidationError, match=message):
        Settings(**settings)


@given(st.binary())
def test_any_answer_is_shown_in_one_short_line(answer: bytes) -> None:
    """Whatever a server sends."""
    shown = _shown(answer)

    assert shown.isprintable()
    assert 0 < len(shown) <= 160
