from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.sip import Settings
from lvs_agent.checks.kinds.sip.message import Response, answers, new_options, parse
from lvs_agent.config import config_from_tables
from lvs_agent.config.secrets import SecretSource
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.datagram_servers import Answers, garbage, hearing, refusing_port, silent
from tests.checks.servers import Handler, result_of, run, serving, spec, unused_port
from tests.checks.servers import garbage as mail_server
from tests.checks.sip_servers import answering_another, healthy, of_another, over_stream, response

OURS = new_options(uri="sip:127.0.0.1:5060", transport="UDP", host="127.0.0.1", port=5070)
OK = over_stream("200 OK")


def asked(
    to: Answers, *, address: str = "127.0.0.1", timeout_s: float = 1.0, **settings: Any
) -> tuple[CheckResult, list[str]]:
    """The result of a check of a server with these answers over UDP, and what it was asked."""

    async def main() -> tuple[CheckResult, list[str]]:
        async with hearing(to, address=address) as (port, heard):
            check = spec("sip", port=port, address=address, timeout_s=timeout_s, **settings)
            return await result_of(check), [each.decode().replace(f":{port}", ":PORT") for each in heard]

    return run(main())


def asked_over_tcp(handler: Handler, **settings: Any) -> CheckResult:
    """The result of a check of a server over TCP."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("sip", port=port, timeout_s=0.3, transport="tcp", **settings))

    return run(main())


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_request_is_as_the_rfc_wants_it(address: str, host: str) -> None:
    """With everything that RFC 3261, 8.1.1 asks for, and our own address and port in Via and Contact."""
    result, (request,) = asked(healthy, address=address)
    own = re.escape(host)

    assert result == Passed("200 OK")
    assert re.fullmatch(
        rf"OPTIONS sip:{own}:PORT SIP/2\.0\r\n"
        rf"Via: SIP/2\.0/UDP {own}:(\d+);branch=z9hG4bK[0-9a-f]{{24}};rport\r\n"
        r"Max-Forwards: 70\r\n"
        rf"From: <sip:lvs-agent@{own}>;tag=[0-9a-f]{{16}}\r\n"
        rf"To: <sip:{own}:PORT>\r\n"
        rf"Call-ID: [0-9a-f]{{24}}@{own}\r\n"
        r"CSeq: \d+ OPTIONS\r\n"
        rf"Contact: <sip:lvs-agent@{own}:\1>\r\n"
        r"Accept: application/sdp\r\n"
        r"User-Agent: lvs-agent/\S+\r\n"
        r"Content-Length: 0\r\n\r\n",
        request,
    )


def test_requests_have_nothing_in_common() -> None:
    """So that no answer to an earlier one can count, and no proxy takes it for a copy."""
    other = new_options(uri=OURS.uri, transport="UDP", host=OURS.host, port=OURS.port)

    assert not {OURS.branch, OURS.tag, OURS.call_id} & {other.branch, other.tag, other.call_id}


@pytest.mark.parametrize(
    ("user", "uri"), [("ping", "sip:ping@127.0.0.1:PORT"), ("ping@example.com", "sip:ping@example.com")]
)
def test_user_is_asked_for(user: str, uri: str) -> None:
    """At the checked address, or at the domain that is written."""
    _, (request,) = asked(healthy, user=user)

    assert request.startswith(f"OPTIONS {uri} SIP/2.0\r\n")
    assert f"\r\nTo: <{uri}>\r\n" in request


@pytest.mark.parametrize("status", ["404 Not Found", "503 Service Unavailable", "302 Moved"])
def test_status_decides(status: str) -> None:
    """An unwanted one fails, a wanted one passes."""
    answer = [lambda request: [response(request, status)]]

    assert asked(*answer)[0] == Failed(FailureReason.STATUS, status)
    assert asked(*answer, status=[200, "300-699"])[0] == Passed(status)


@pytest.mark.parametrize(
    ("to", "what"),
    [
        pytest.param(silent, "", id="silent"),
        pytest.param(garbage, " (there was one that is not a SIP response)", id="garbage"),
        pytest.param(lambda request: [of_another(request)], " (there was one to another request)", id="other branch"),
        pytest.param(
            lambda request: [response(request).replace(b"OPTIONS", b"INVITE")],
            " (there was one to another request)",
            id="other method",
        ),
        pytest.param(
            lambda request: [response(request, "100 Trying")], " (there was one that is provisional)", id="provisional"
        ),
    ],
)
def test_what_is_no_final_response_is_waited_past(to: Answers, what: str) -> None:
    """The right one may still come; when none does, the result says what was there."""
    detail = f"no answer within 0.1 s: waiting for an answer{what}"

    assert asked(to, timeout_s=0.1)[0] == Failed(FailureReason.READ_TIMEOUT, detail)
    assert asked(lambda request: [*to(request), response(request)])[0] == Passed("200 OK")


def test_short_and_folded_headers_are_read() -> None:
    """RFC 3261, 7.3.1 and 7.3.3 allow both."""
    assert asked(lambda request: [response(request, compact=True)])[0] == Passed("200 OK")


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(OK, id="at once"),
        pytest.param(over_stream("100 Trying", "180 Ringing", "200 OK", body=b"v=0\r\n\r\n"), id="provisional before"),
        pytest.param(over_stream("200 OK", before=b"\r\n\r\n"), id="empty lines before"),
    ],
)
def test_server_on_a_connection_passes(handler: Handler) -> None:
    """A stream has to be taken apart, provisional responses with their bodies too."""
    assert asked_over_tcp(handler) == Passed("200 OK")


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (over_stream("503 Busy"), Failed(FailureReason.STATUS, "503 Busy")),
        (answering_another, Failed(FailureReason.PROTOCOL, "an answer to another request")),
        (
            over_stream("100 Trying", body=b"x" * 65_537),
            Failed(FailureReason.PROTOCOL, "an answer with an invalid Content-Length"),
        ),
    ],
)
def test_bad_response_on_a_connection_fails(handler: Handler, expected: CheckResult) -> None:
    """Nothing better will come."""
    assert asked_over_tcp(handler) == expected


def test_other_server_on_a_connection_fails() -> None:
    """A mail server speaks first, and closes."""
    result = asked_over_tcp(mail_server)

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.PROTOCOL


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_transport_is_told(certificates: Certificates, transport: str) -> None:
    """In Via and Contact, as RFC 3261, 18.1.1 and 26.2.2 have it."""
    requests: list[str] = []

    async def noting(reader: Any, writer: Any) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())

    async def main() -> None:
        context = certificates.good.server_context() if transport == "tls" else None
        tls: dict[str, Any] = {"tls": {"verify": False}} if transport == "tls" else {}
        async with serving(noting, tls=context) as port:
            await result_of(spec("sip", port=port, transport=transport, **tls))

    run(main())

    assert f"\r\nVia: SIP/2.0/{transport.upper()} 127.0.0.1:" in requests[0]
    assert ";transport=tcp>\r\n" in requests[0]


def test_certificate_is_verified_and_told(certificates: Certificates) -> None:
    """As everywhere: for the address where no name is said, and its expiry goes with the result."""
    trusted = {"ca_file": str(certificates.good.path)}

    async def main() -> list[CheckResult]:
        async with serving(OK, tls=certificates.good.server_context()) as port:
            return [
                await result_of(spec("sip", port=port, transport="tls", tls=tls))
                for tls in (trusted, {**trusted, "server_name": "sip.example.net"}, None)
            ]

    good, other_name, untrusted = run(main())

    assert good == Passed("200 OK", certificates.good.not_after)
    assert isinstance(other_name, Failed)
    assert other_name.reason is FailureReason.TLS
    assert isinstance(untrusted, Failed)
    assert untrusted.detail.startswith("certificate verify failed")


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_closed_port_is_refused(transport: str) -> None:
    """Over every transport."""
    port = refusing_port() if transport == "udp" else unused_port()

    assert run(result_of(spec("sip", port=port, transport=transport))) == Failed(
        FailureReason.REFUSED, "connection refused"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"user": "a b"}, "must be a SIP user"),
        ({"user": "a>\r\nRoute: x"}, "must be a SIP user"),
        ({"user": "a@b@c"}, "must be a SIP user"),
        ({"status": [100]}, "a final status like 200"),
        ({"status": ["299-200"]}, "a final status like 200"),
        ({"status": []}, "at least 1"),
        ({"tls": {}}, "no effect without transport"),
        ({"transport": "sctp"}, "Input should be"),
    ],
)
def test_unusable_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """When the configuration is read."""
    with pytest.raises(ValidationError, match=message):
        Settings(**settings)


@pytest.mark.parametrize(("transport", "port"), [("udp", 5060), ("tcp", 5060), ("tls", 5061)])
def test_usual_port_is_that_of_the_transport(transport: str, port: int) -> None:
    """Where a firewall mark brings none, and none is written."""
    text = f"""
        [[virtual_service]]
        name = "sip"
        fwmark = 1
        family = "inet"
        real_server = [{{ address = "192.0.2.1" }}]
        check = {{ type = "sip", transport = "{transport}" }}
    """
    config = config_from_tables(tomli.loads(text), source=SecretSource(Path("/etc"), {}))

    assert [spec.target.port for spec in config.intent.checks.values()] == [port]


@given(st.binary(max_size=300))
def test_any_bytes_can_be_looked_at(data: bytes) -> None:
    """Nothing raises, and nothing but our branch makes an answer."""
    for datagram in (data, b"SIP/2.0 200 " + data, b"SIP/2.0 200 OK\r\n" + data, b"SIP/2.0 200 OK\r\nvia:" + data):
        found = parse(datagram)

        assert found is None or not answers(found, OURS)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40), st.integers(100, 699))
def test_what_is_written_is_read(phrase: str, status: int) -> None:
    """Any status and phrase."""
    found = parse(response(str(OURS).encode(), f"{status} {phrase}"))

    assert isinstance(found, Response)
    assert (found.status, found.phrase) == (status, phrase.strip())
    assert answers(found, OURS)
    assert found.body_length == 0
