from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lvs_agent.model.check import CheckReport, Failed, FailureReason, Passed
from tests.checks.servers import report_of, run, spec
from tests.servers.bind import Bind, bind
from tests.servers.daemons import needs

pytestmark = needs("bind9")

ENOUGH_S = 5.0
SHORT_S = 0.5
LATE_S = 0.3


@pytest.fixture(scope="module")
def server() -> Iterator[Bind]:
    """BIND, started once."""
    with bind() as found:
        yield found


def asked(server: Bind, query: str, *, address: str = "127.0.0.1", limit_s: float = ENOUGH_S, **to: Any) -> CheckReport:
    """One check."""
    check = spec("dns", port=server.port, address=address, timeout_s=limit_s, query=query, **to)
    return run(report_of(check))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("query", "kind", "text"),
    [
        ("www.example.com", "A", "192.0.2.1"),
        ("www.example.com", "AAAA", "2001:db8::1"),
        ("alias.example.com", "A", "192.0.2.1"),
        ("alias.example.com", "CNAME", "www.example.com"),
        ("example.com", "NS", "ns1.example.com"),
        ("example.com", "SOA", "ns1.example.com root.example.com 7 3600 600 86400 60"),
        ("example.com", "MX", "10 mail.example.com"),
        ("example.com", "TXT", "v=spf1 -all"),
        ("_sip._udp.example.com", "SRV", "0 5 5060 sip.example.com"),
        ("192.0.2.1", "PTR", "www.example.com"),
    ],
)
def test_record_passes(server: Bind, query: str, kind: str, text: str, address: str, transport: str) -> None:
    """Every type, over both transports and both families."""
    report = asked(server, query, record_type=kind, address=address, transport=transport, answer_regex=f"^{text}$")

    assert report.result == Passed(text)


def test_long_answer_comes_over_tcp(server: Bind) -> None:
    """Two thousand bytes do not fit into a datagram."""
    result = asked(server, "long.example.com", record_type="TXT", answer_regex="^019x").result

    assert result == Passed("019" + "x" * 100)


@pytest.mark.parametrize(
    ("query", "settings", "reason", "detail"),
    [
        ("www.example.com", {"answer_regex": "^10"}, "content", "answer_regex does not match: 192.0.2.1"),
        ("www.example.com", {"record_type": "MX"}, "content", "no MX record"),
        ("none.example.com", {}, "status", "NXDOMAIN, not NOERROR"),
        ("www.example.net", {}, "status", "REFUSED, not NOERROR"),
    ],
)
def test_wrong_answer_fails(server: Bind, query: str, settings: dict[str, Any], reason: str, detail: str) -> None:
    """With what was there instead."""
    assert asked(server, query, **settings).result == Failed(FailureReason(reason), detail)


def test_wanted_failure_passes(server: Bind) -> None:
    """A server can be asked for a name that it must not have."""
    assert asked(server, "none.example.com", rcode="NXDOMAIN").result == Passed("NXDOMAIN")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_hung_server_fails_by_the_deadline(server: Bind, transport: str) -> None:
    """The kernel takes what comes, and nobody answers."""
    with server.daemon.hung():
        report = asked(server, "www.example.com", limit_s=SHORT_S, transport=transport)

    assert report.result == Failed(FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for an answer")
    assert report.duration_s < SHORT_S + LATE_S


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_stopped_server_is_refused(server: Bind, transport: str) -> None:
    """At once."""
    with server.daemon.stopped():
        report = asked(server, "www.example.com", transport=transport)

    assert report.result == Failed(FailureReason.REFUSED, "connection refused")
