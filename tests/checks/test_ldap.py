from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds import checkers
from lvs_agent.checks.kinds.ldap import ber
from lvs_agent.checks.kinds.ldap import messages as ldap_messages
from lvs_agent.checks.kinds.ldap.ber import Element, Malformed
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks import servers
from tests.checks.servers import Handler, result_of, run, serving, spec
from tests.checks.text_servers import DONE, directory, entry, message, result, saying

BIND, SEARCH, EXTENDED = (
    ldap_messages.BIND_RESPONSE,
    ldap_messages.SEARCH_DONE,
    ldap_messages.EXTENDED_RESPONSE,
)


def checked(handler: Handler, *, timeout_s: float = 1.0, **keys: Any) -> CheckResult:
    """The result of one LDAP check of a server."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("ldap", port=port, timeout_s=timeout_s, **keys))

    return run(main())


def reference() -> bytes:
    """A pointer to another server, which a search may be answered with beside entries."""
    return ber.encoded(ldap_messages.SEARCH_REFERENCE, ber.text("ldap://elsewhere/"))


@pytest.mark.parametrize(
    ("handler", "keys", "expected"),
    [
        pytest.param(directory(), {}, Passed("bound"), id="bind only"),
        pytest.param(directory(), {"base": "dc=example"}, Passed("found 'dc=example'"), id="entry"),
        pytest.param(
            directory(search=(reference(), entry("dc=example"), DONE)),
            {"base": "dc=example", "dn_regex": "^DC=|^dc="},
            Passed("found 'dc=example'"),
            id="DN fits",
        ),
        pytest.param(
            directory(bind=result(BIND, 49, "no\nway")),
            {"bind_dn": "cn=x", "password": "y"},
            Failed(FailureReason.STATUS, "bind: invalid credentials (49): no?way"),
            id="credentials",
        ),
        pytest.param(
            directory(bind=result(BIND, 51)), {}, Failed(FailureReason.STATUS, "bind: busy (51)"), id="busy"
        ),
        pytest.param(
            directory(bind=result(BIND, 4_000)), {}, Failed(FailureReason.STATUS, "bind: result (4000)"), id="unknown"
        ),
        pytest.param(
            directory(search=(result(SEARCH, 32),)),
            {"base": "dc=other"},
            Failed(FailureReason.STATUS, "search: no such object (32)"),
            id="no such entry",
        ),
        pytest.param(
            directory(search=(DONE,)),
            {"base": "dc=hidden"},
            Failed(FailureReason.CONTENT, "0 entries at 'dc=hidden' instead of 1"),
            id="nothing found",
        ),
        pytest.param(
            directory(search=(entry("a=1"), entry("a=2"), DONE)),
            {"base": ""},
            Failed(FailureReason.CONTENT, "2 entries at '' instead of 1"),
            id="too much found",
        ),
        pytest.param(
            directory(),
            {"base": "dc=example", "dn_regex": "^dc=other"},
            Failed(FailureReason.CONTENT, "'dc=example' does not match dn_regex"),
            id="another DN",
        ),
        pytest.param(
            directory(search=(entry("a=1"),) * 20),
            {"base": ""},
            Failed(FailureReason.PROTOCOL, "search: more than 16 messages"),
            id="no end",
        ),
        pytest.param(
            directory(search=(result(BIND),)),
            {"base": ""},
            Failed(FailureReason.PROTOCOL, "search: not an LDAP answer: tag 0x61 instead of 0x65"),
            id="answer to something else",
        ),
        pytest.param(
            directory(number=7),
            {},
            Failed(FailureReason.PROTOCOL, "bind: not an LDAP answer: an answer to request 7 instead of 1"),
            id="answer to another request",
        ),
        pytest.param(
            directory(),
            {"starttls": True},
            Failed(FailureReason.STATUS, "StartTLS: protocol error (2): no TLS here"),
            id="StartTLS refused",
        ),
        pytest.param(
            saying(message(0, result(EXTENDED, 52, "going down"))),
            {},
            Failed(FailureReason.STATUS, "bind: the server ends the session: unavailable (52): going down"),
            id="notice of disconnection",
        ),
        pytest.param(
            saying(b"220 hello\r\n"),
            {},
            Failed(FailureReason.PROTOCOL, "bind: not an LDAP answer: it begins with 0x32"),
            id="another protocol",
        ),
        pytest.param(
            saying(b"\x30\x83\x01\x00\x01"),
            {},
            Failed(FailureReason.PROTOCOL, "bind: not an LDAP answer: a message of 65537 bytes"),
            id="too long",
        ),
        pytest.param(
            saying(b"\x30\x80"),
            {},
            Failed(FailureReason.PROTOCOL, "bind: not an LDAP answer: an indefinite or enormous length"),
            id="no length",
        ),
    ],
)  # fmt: skip
def test_verdict(handler: Handler, keys: dict[str, Any], expected: CheckResult) -> None:
    """What the server answers decides, with the reason and in words."""
    assert checked(handler, **keys) == expected


def test_server_that_answers_nothing_is_waited_for_with_what() -> None:
    """The reason is that it does not answer, not that it does not accept."""
    assert checked(servers.silent, timeout_s=0.2) == Failed(
        FailureReason.READ_TIMEOUT, "no answer within 0.2 s: waiting for bind"
    )


def test_requests_are_those_of_the_rfc() -> None:
    """Bytes of a simple bind, a base search without attributes, and the end, as RFC 4511 has them."""
    assert ldap_messages.bind_request(1, name="cn=a", password="b").hex(" ") == (
        "30 11 02 01 01 60 0c 02 01 03 04 04 63 6e 3d 61 80 01 62"
    )
    assert ldap_messages.search_request(2, base="").hex(" ") == (
        "30 2a 02 01 02 63 25 04 00 0a 01 00 0a 01 00 02 01 00 02 01 00 01 01 ff "
        "87 0b 6f 62 6a 65 63 74 43 6c 61 73 73 30 05 04 03 31 2e 31"
    )
    assert ldap_messages.unbind_request(3).hex(" ") == "30 05 02 01 03 42 00"


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    """No input raises anything else, at any depth that is read."""
    for tag, read in ((BIND, lambda each: ldap_messages.outcome_in(each, tag=BIND)), (0x64, ldap_messages.name_in)):
        for element in (Element(ber.SEQUENCE, data), Element(tag, data)):
            try:
                ldap_messages.message_of(element)
                read(element)
            except Malformed:
                continue


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=1, max_size=40))
def test_any_answer_ends_in_a_failure(data: bytes) -> None:
    """Whatever is said instead of an answer, the check fails and nothing is raised."""

    async def saying_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x30" + bytes([len(data)]) + data)
        await writer.drain()

    assert isinstance(checked(saying_it), Failed)


@pytest.mark.parametrize(
    ("kind", "keys", "problem"),
    [
        ("ldap", {"bind_dn": "cn=x"}, "bind_dn and password must be set together"),
        ("ldap", {"password": "x"}, "bind_dn and password must be set together"),
        ("ldap", {"bind_dn": "cn=x", "password": ""}, "must be one line without control characters"),
        ("ldap", {"dn_regex": "x"}, "dn_regex needs base"),
        ("ldap", {"base": "", "dn_regex": "("}, "not a regular expression"),
        ("ldap", {"tls": {}}, 'tls needs starttls = true; for TLS from the start use type = "ldaps"'),
        ("ldaps", {"starttls": True}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind: str, keys: dict[str, Any], problem: str) -> None:
    """A bind with a name and an empty password would succeed anonymously, so it is refused as well."""
    with pytest.raises(ValidationError, match=problem):
        checkers()[kind].settings(**keys)
