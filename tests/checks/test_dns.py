from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import dns.message
import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.dns import Settings
from lvs_agent.checks.kinds.dns import message as dns_message
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks import dns_servers
from tests.checks.datagram_servers import Answers, garbage, hearing, refusing_port, silent
from tests.checks.dns_servers import over_tcp, reply
from tests.checks.servers import Handler, result_of, run, serving, spec, unused_port
from tests.checks.servers import silent as silent_connection

WWW: dict[str, Any] = {"query": "www.example.com"}
EITHER = st.sampled_from(["A", "AAAA", "PTR", "NS", "SOA", "MX", "TXT", "CNAME", "SRV"])


def over_udp(answer: Callable[[bytes], bytes]) -> Answers:
    """A server that has one answer to each query."""
    return lambda query: [answer(query)]


def asked(answers: Answers, *, address: str = "127.0.0.1", timeout_s: float = 1.0, **settings: Any) -> CheckResult:
    """The result of a check of a server with these answers over UDP."""

    async def main() -> CheckResult:
        async with hearing(answers, address=address) as (port, _):
            return await result_of(spec("dns", port=port, address=address, timeout_s=timeout_s, **settings))

    return run(main())


def asked_over_tcp(handler: Handler, **settings: Any) -> CheckResult:
    """The same over TCP."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("dns", port=port, timeout_s=0.4, transport="tcp", **{**WWW, **settings}))

    return run(main())


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("www.example.com", "A", "192.0.2.1"),
        ("www.example.com.", "AAAA", "2001:db8::1"),
        ("example.com", "NS", "ns1.example.com"),
        ("example.com", "SOA", "ns1.example.com root.example.com 7 1 1 1 1"),
        ("example.com", "MX", "10 mail.example.com"),
        ("example.com", "TXT", "v=spf1 -all"),
        ("alias.example.com", "CNAME", "www.example.com"),
        ("_sip._udp.example.com", "SRV", "0 5 5060 sip.example.com"),
        ("1.2.0.192.in-addr.arpa", "PTR", "www.example.com"),
        ("192.0.2.1", "PTR", "www.example.com"),
        ("2001:db8::1", "PTR", "six.example.com"),
    ],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_record_passes_and_is_told(name: str, kind: str, text: str, transport: str) -> None:
    """Every type, over both transports; an address stands for its reverse name."""
    settings: dict[str, Any] = {"query": name, "record_type": kind, "answer_regex": f"^{re.escape(text)}$"}
    result = asked_over_tcp(over_tcp(), **settings) if transport == "tcp" else asked(over_udp(reply), **settings)

    assert result == Passed(text)


def test_ipv6_server_is_asked() -> None:
    """Addresses of both families."""
    assert asked(over_udp(reply), address="::1", **WWW) == Passed("192.0.2.1")


@pytest.mark.parametrize("recursive", [True, False])
def test_recursion_is_asked_for_as_wanted(*, recursive: bool) -> None:
    """The flag RD is bit 8 of the header (RFC 1035, 4.1.1)."""
    flags: list[int] = []

    def answer(query: bytes) -> bytes:
        flags.append(query[2] & 1)
        return reply(query)

    assert asked(over_udp(answer), recursion_desired=recursive, **WWW) == Passed("192.0.2.1")
    assert flags == [int(recursive)]


def test_any_answer_may_match() -> None:
    """The one that matches is shown."""
    assert asked(over_udp(reply), answer_regex=r"\.2$", **WWW) == Passed("192.0.2.2")


def test_answer_that_does_not_match_fails() -> None:
    """What there is instead is shown."""
    assert asked(over_udp(reply), answer_regex=r"^10\.", **WWW) == Failed(
        FailureReason.CONTENT, "answer_regex does not match: 192.0.2.1, 192.0.2.2"
    )


def test_alias_is_followed() -> None:
    """The record of the name that it stands for counts."""
    answer = partial(reply, alias="www.example.com.")

    assert asked(over_udp(answer), query="ftp.example.com") == Passed("192.0.2.1")


def test_alias_alone_is_no_answer() -> None:
    """A CNAME that leads nowhere has no address."""
    answer = partial(reply, alias="gone.example.com.")

    assert asked(over_udp(answer), query="ftp.example.com") == Failed(FailureReason.CONTENT, "no A record")


def test_noerror_without_a_record_fails() -> None:
    """The name exists, but not with this type."""
    result = asked(over_udp(reply), query="www.example.com", record_type="MX")

    assert result == Failed(FailureReason.CONTENT, "no MX record")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "NXDOMAIN", "REFUSED"])
def test_response_code_decides(rcode: str) -> None:
    """An unwanted one fails, a wanted one passes."""
    answer = over_udp(partial(reply, rcode=rcode))

    assert asked(answer, **WWW) == Failed(FailureReason.STATUS, f"{rcode}, not NOERROR")
    assert asked(answer, rcode=rcode, **WWW) == Passed(rcode)
    assert asked(over_udp(reply), rcode=rcode, **WWW) == Failed(FailureReason.STATUS, f"NOERROR, not {rcode}")


@pytest.mark.parametrize("spoilt", [dns_servers.of_another_id, dns_servers.of_another_question])
def test_answer_to_another_question_does_not_count(spoilt: Callable[[bytes], bytes]) -> None:
    """It is passed over, as RFC 5452 wants it: the right one may still come."""
    detail = "no answer within 0.1 s: waiting for an answer (there was one to another question)"

    assert asked(lambda query: [spoilt(query), reply(query)], **WWW) == Passed("192.0.2.1")
    assert asked(over_udp(spoilt), timeout_s=0.1, **WWW) == Failed(FailureReason.READ_TIMEOUT, detail)


@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        (silent, "waiting for an answer"),
        (garbage, "waiting for an answer (there was one that is not a DNS message)"),
        (lambda _: [bytes(20_000)], "waiting for an answer (there was one longer than 16384 bytes)"),
    ],
)
def test_server_without_an_answer_runs_out_of_time(answers: Answers, detail: str) -> None:
    """And the result says what came instead."""
    assert asked(answers, timeout_s=0.1, **WWW) == Failed(
        FailureReason.READ_TIMEOUT, f"no answer within 0.1 s: {detail}"
    )


def test_truncated_answer_is_asked_for_again_over_tcp() -> None:
    """On the same port."""

    async def main() -> CheckResult:
        async with serving(over_tcp(pause_s=0.02)) as port:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.settimeout(0)
                own.bind(("127.0.0.1", port))
                check = spec("dns", port=port, **WWW)
                return await answered_once(own, check)

    assert run(main()) == Passed("192.0.2.1")


async def answered_once(own: socket.socket, check: Any) -> CheckResult:
    """The result of ``check`` while ``own`` gives a truncated answer."""
    loop = asyncio.get_running_loop()

    def answer() -> None:
        query, whom = own.recvfrom(65_535)
        own.sendto(reply(query, truncated=True), whom)

    loop.add_reader(own, answer)
    try:
        return await result_of(check)
    finally:
        loop.remove_reader(own)


def test_truncated_answer_of_a_server_without_tcp_fails() -> None:
    """There is nobody who would give the rest."""
    assert asked(over_udp(partial(reply, truncated=True)), **WWW) == Failed(FailureReason.REFUSED, "connection refused")


def test_closed_port_is_refused() -> None:
    """Over both transports."""
    refused = Failed(FailureReason.REFUSED, "connection refused")

    assert run(result_of(spec("dns", port=refusing_port(), **WWW))) == refused
    assert run(result_of(spec("dns", port=unused_port(), transport="tcp", **WWW))) == refused


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        pytest.param(
            over_tcp(b"\xff" * 30), Failed(FailureReason.PROTOCOL, "an answer that is not a DNS message"), id="garbage"
        ),
        pytest.param(
            over_tcp(bytes(20_000)), Failed(FailureReason.PROTOCOL, "an answer longer than 16384 bytes"), id="long"
        ),
        pytest.param(
            silent_connection,
            Failed(FailureReason.READ_TIMEOUT, "no answer within 0.4 s: waiting for an answer"),
            id="silent",
        ),
    ],
)
def test_bad_answer_over_tcp_fails(handler: Handler, expected: CheckResult) -> None:
    """Nothing better will come on a connection."""
    assert asked_over_tcp(handler) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query": "a..b"}, "must be a domain name, like www.example.com"),
        ({"query": "x" * 64}, "must be a domain name, like www.example.com"),
        ({"query": "192.0.2.1"}, "an address has no A record, only PTR"),
        ({"query": "www.example.com", "rcode": "NXDOMAIN", "answer_regex": "."}, "answer_regex needs rcode"),
        ({"query": "www.example.com", "answer_regex": "("}, "not a regular expression"),
        ({"query": "www.example.com", "record_type": "ANY"}, "Input should be"),
        ({}, "Field required"),
    ],
)
def test_unusable_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """When the configuration is read, not at the first probe."""
    with pytest.raises(ValidationError, match=message):
        Settings(**settings)


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    """No datagram raises anything, also behind the right id and with the right question."""
    query = dns_message.query("www.example.com", record_type="A", recursion_desired=True)
    wire = query.to_wire()
    header = wire[:2] + b"\x81\x80" + data[:6].ljust(6, b"\0")

    for each in (data, wire[:2] + data, header + data, wire[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + wire[12:] + data):
        message = dns_message.reply_to(query, each)
        if not isinstance(message, str):
            result = dns_message.judge(message, rcode="NOERROR", record_type="A", pattern=None)

            assert result.detail.isprintable()


@given(EITHER, st.binary(max_size=60), st.sampled_from([None, re.compile("x")]))
def test_any_record_is_told_in_one_line(kind: str, data: bytes, pattern: re.Pattern[str] | None) -> None:
    """Whatever a record has in it."""
    query = dns_message.query("example.com", record_type=kind, recursion_desired=True)
    wire = query.to_wire()
    number = int(query.question[0].rdtype)
    record = b"\xc0\x0c" + number.to_bytes(2) + b"\0\x01\0\0\0\x3c" + len(data).to_bytes(2) + data
    message = dns_message.reply_to(query, wire[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + wire[12:] + record)
    if not isinstance(message, str):
        result = dns_message.judge(message, rcode="NOERROR", record_type=kind, pattern=pattern)

        assert result.detail.isprintable()


def many_records(query: dns.message.Message, *, kinds: range, classes: range) -> bytes:
    """An answer with an empty record of each kind and class."""
    wire = query.to_wire()
    pairs = [(kind, of_class) for kind in kinds for of_class in classes]
    records = b"".join(struct.pack("!HHHIH", 0xC00C, kind, of_class, 60, 0) for kind, of_class in pairs)
    return wire[:2] + struct.pack("!HHHHH", 0x8180, 1, len(pairs), 0, 0) + wire[12:] + records


def test_records_of_unknown_types_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand types that nobody knows are a valid answer, and no reason to look for a thousand modules."""
    dns_message.know_every_type()
    query = dns_message.query("example.com", record_type="A", recursion_desired=True)
    monkeypatch.setattr("dns.rdata.import_module", None)

    reply = dns_message.reply_to(query, many_records(query, kinds=range(30_000, 31_000), classes=range(1, 2)))

    assert isinstance(reply, dns.message.Message)
    assert dns_message.judge(reply, rcode="NOERROR", record_type="A", pattern=None) == Failed(
        FailureReason.CONTENT, "no A record"
    )


def test_records_of_other_classes_are_no_answer() -> None:
    """The library would remember each pair of type and class for ever."""
    query = dns_message.query("example.com", record_type="A", recursion_desired=True)
    known = len(dns.rdata._rdata_classes)

    for first in range(2, 1_002, 100):
        wire = many_records(query, kinds=range(31_000, 31_010), classes=range(first, first + 100))
        assert dns_message.reply_to(query, wire) == "with records of another class than IN"

    assert len(dns.rdata._rdata_classes) == known
