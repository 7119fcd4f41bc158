from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.radius import Settings
from lvs_agent.checks.kinds.radius.packet import (
    Attribute,
    Code,
    Reply,
    Request,
    Unanswered,
    hidden,
    reply_to,
    response_authenticator,
    signed,
)
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from lvs_agent.settings.scalars import Secret
from tests.checks.datagram_servers import Answers, garbage, hearing, refusing_port, silent
from tests.checks.radius_servers import SECRET, accepting, answer, rejecting
from tests.checks.servers import result_of, run, spec

LOGIN: dict[str, Any] = {"user": "nemo", "password": Secret("arctangent"), "secret": Secret(SECRET.decode())}
AUTHENTICATOR = bytes.fromhex("0f403f9473978057bd83d5cb98f4227a")
REQUEST = Request(
    identifier=0, authenticator=AUTHENTICATOR, secret=SECRET, user=b"nemo", password=b"arctangent",
    nas_identifier=b"lvs-agent",
)  # fmt: skip
RFC_REPLY = bytes.fromhex("02000026 86fe220e7624ba2a1005f6bf9b55e0b2 060600000001 0f0600000000 0e06c0a80103")


def asked(answers: Answers, *, timeout_s: float = 1.0, **settings: Any) -> CheckResult:
    """The result of a check of a server with these answers."""

    async def main() -> CheckResult:
        async with hearing(answers) as (port, _):
            return await result_of(spec("radius", port=port, timeout_s=timeout_s, **{**LOGIN, **settings}))

    return run(main())


def test_password_is_hidden_as_in_the_rfc() -> None:
    """The example of RFC 2865, 7.1."""
    assert hidden(b"arctangent", secret=SECRET, authenticator=AUTHENTICATOR).hex() == "0dbe708d93d413ce3196e43f782a0aee"


def test_reply_of_the_rfc_is_genuine() -> None:
    """The example of RFC 2865, 7.1, which has no Message-Authenticator; padding behind it does not count."""
    assert reply_to(REQUEST, RFC_REPLY) == Reply(Code.ACCESS_ACCEPT, "")
    assert reply_to(REQUEST, RFC_REPLY + b"padding") == Reply(Code.ACCESS_ACCEPT, "")


@pytest.mark.parametrize("place", range(4, 38))
def test_forged_reply_is_noticed(place: int) -> None:
    """Wherever a bit of the example is changed."""
    forged = bytearray(RFC_REPLY)
    forged[place] ^= 1

    assert isinstance(reply_to(REQUEST, bytes(forged)), Unanswered)


@given(st.binary(max_size=128), st.binary(min_size=1, max_size=40))
@example(b"", b"s")
def test_hidden_password_can_be_found_with_the_secret(password: bytes, secret: bytes) -> None:
    """Hiding is its own inverse, block by block; its length tells nothing but how many blocks there are."""
    secret_text = hidden(password, secret=secret, authenticator=AUTHENTICATOR)
    found, before = b"", AUTHENTICATOR
    for begin in range(0, len(secret_text), 16):
        block = secret_text[begin : begin + 16]
        found += hidden(block, secret=secret, authenticator=before)
        before = block

    assert found == password.ljust(len(secret_text), b"\0")
    assert len(secret_text) in range(16, 129, 16)


def test_request_has_what_it_must_have() -> None:
    """In order: proof, user, password, who asks, and its address if that is configured."""
    for address, kind in (("192.0.2.1", Attribute.NAS_IP_ADDRESS), ("2001:db8::1", Attribute.NAS_IPV6_ADDRESS)):
        packet = replace(REQUEST, nas_address=ip_address(address)).packet()
        kinds, at = [], 20
        while at < len(packet):
            kinds.append(packet[at])
            at += packet[at + 1]

        assert int.from_bytes(packet[2:4]) == len(packet)
        assert kinds == [80, 1, 2, 32, kind]


def test_accepted_user_passes() -> None:
    """With whatever the server says to it."""
    assert asked(accepting) == Passed("Access-Accept")


def test_rejected_user_fails() -> None:
    """The server's message is shown in one line."""
    assert asked(rejecting) == Failed(FailureReason.STATUS, "Access-Reject: unknown?user")


@pytest.mark.parametrize("code", [Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE])
def test_rejecting_server_is_alive_where_that_is_enough(code: Code) -> None:
    """Any genuine decision shows that it works."""
    assert isinstance(asked(lambda question: [answer(question, code)], accept_reject=True), Passed)
    assert isinstance(asked(lambda question: [answer(question, code)]), Failed)


def test_reply_of_another_kind_fails() -> None:
    """Accounting-Response is 5."""
    assert asked(lambda question: [answer(question, 5)], accept_reject=True) == Failed(
        FailureReason.PROTOCOL, "unexpected packet of type 5"
    )


def test_message_with_the_password_does_not_tell_it() -> None:
    """Some servers write into the message what they were sent."""
    message = b"wrong: arctangent, " + SECRET

    assert asked(lambda question: [answer(question, 3, message=message)]) == Failed(
        FailureReason.STATUS, "Access-Reject: wrong: ***, ***"
    )


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        pytest.param(silent, "", id="silent"),
        pytest.param(garbage, " (there was one that is not a RADIUS packet)", id="garbage"),
        pytest.param(
            lambda question: [answer(question, 2, secret=b"other")],
            " (there was one with a wrong authenticator: check the secret)",
            id="another secret",
        ),
        pytest.param(
            lambda question: [answer(question, 2, proof=bytes(16))],
            " (there was one with a wrong authenticator: check the secret)",
            id="wrong Message-Authenticator",
        ),
        pytest.param(
            lambda question: [answer(bytes([0, question[1] ^ 1]) + question[2:], 2)],
            " (there was one to another request)",
            id="another identifier",
        ),
    ],
)
def test_reply_that_does_not_count_is_waited_past(answers: Answers, what: str) -> None:
    """The right one may still come, as RFC 2865 has it; when none does, the result says what was there."""
    detail = f"no answer within 0.1 s: waiting for an answer{what}"

    assert asked(answers, timeout_s=0.1) == Failed(FailureReason.READ_TIMEOUT, detail)
    assert asked(lambda question: [*answers(question), *accepting(question)]) == Passed("Access-Accept")


def test_closed_port_is_refused() -> None:
    """As the host tells it."""
    assert run(result_of(spec("radius", port=refusing_port(), **LOGIN))) == Failed(
        FailureReason.REFUSED, "connection refused"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"user": "n" * 254}, "at most 253 bytes"),
        ({"user": ""}, "at least 1 character"),
        ({"password": Secret("ä" * 65)}, "at most 128 bytes"),
        ({"secret": Secret("")}, "must not be empty"),
        ({"nas_address": "here"}, "must be an address"),
        ({"nas_address": 7}, "must be an address"),
    ],
)
def test_unusable_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """When the configuration is read."""
    with pytest.raises(ValidationError, match=message):
        Settings(**{**LOGIN, **settings})


@given(st.binary(max_size=80))
def test_any_bytes_are_no_reply(data: bytes) -> None:
    """Nothing raises, and nothing but the secret makes a reply."""
    for packet in (data, RFC_REPLY[:4] + data, RFC_REPLY[:20] + data, b"\x02\x00" + len(data).to_bytes(2) + data):
        assert isinstance(reply_to(REQUEST, packet), Unanswered) or packet.startswith(RFC_REPLY)


@given(st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=253)), max_size=4), st.integers(0, 255))
def test_what_is_signed_is_genuine(attributes: list[tuple[int, bytes]], code: int) -> None:
    """Whatever the reply has in it, as long as it has no second proof."""
    attributes = [(kind, value) for kind, value in attributes if kind != Attribute.MESSAGE_AUTHENTICATOR]
    packet = signed(code, identifier=0, authenticator=AUTHENTICATOR, attributes=attributes, secret=SECRET)
    response = response_authenticator(packet, request_authenticator=AUTHENTICATOR, secret=SECRET)
    reply = reply_to(REQUEST, packet[:4] + response + packet[20:])

    assert isinstance(reply, Reply)
    assert reply.code == code
