from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lvs_agent.model.check import CheckReport, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.servers import report_of, run, spec
from tests.servers.daemons import needs
from tests.servers.kamailio import Kamailio, kamailio

pytestmark = needs("kamailio", "kamailio-tls-modules")

ENOUGH_S = 5.0
SHORT_S = 0.5
LATE_S = 0.3
TRANSPORTS = ("udp", "tcp", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sip:
    """The server, and how its certificate is verified."""

    kamailio: Kamailio
    tls: dict[str, Any]
    expiry: float

    def asked(self, transport: str, *, limit_s: float = ENOUGH_S, **settings: Any) -> CheckReport:
        """One check."""
        if transport == "tls":
            settings = {"tls": self.tls, **settings}
        port = self.kamailio.ports[transport]
        return run(report_of(spec("sip", port=port, timeout_s=limit_s, transport=transport, **settings)))

    def expiry_of(self, transport: str) -> float | None:
        """The expiry that goes with a result."""
        return self.expiry if transport == "tls" else None


@pytest.fixture(scope="module")
def sip(certificates: Certificates) -> Iterator[Sip]:
    """Kamailio, started once."""
    good = certificates.good
    with kamailio(good.path) as found:
        yield Sip(kamailio=found, tls={"ca_file": str(good.path)}, expiry=good.not_after)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_working_server_passes(sip: Sip, transport: str) -> None:
    """Over every transport; the certificate's expiry is reported."""
    assert sip.asked(transport).result == Passed("200 OK", sip.expiry_of(transport))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_provisional_response_is_waited_past(sip: Sip, transport: str) -> None:
    """The final one counts."""
    assert sip.asked(transport, user="slow").result == Passed("200 Found it", sip.expiry_of(transport))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("user", "told"), [("member@example.com", "407 Proxy Authentication Required"), ("nobody", "404 Not Found")]
)
def test_other_status_fails_unless_it_is_wanted(sip: Sip, transport: str, user: str, told: str) -> None:
    """Without credentials, and for a user that there is not."""
    expiry = sip.expiry_of(transport)

    assert sip.asked(transport, user=user).result == Failed(FailureReason.STATUS, told, expiry)
    assert sip.asked(transport, user=user, status=[404, 407]).result == Passed(told, expiry)


def test_certificate_for_another_name_fails(sip: Sip) -> None:
    """As everywhere."""
    result = sip.asked("tls", tls={**sip.tls, "server_name": "sip.example.net"}).result

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.TLS


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_hung_server_fails_by_the_deadline(sip: Sip, transport: str) -> None:
    """The kernel takes what comes, and nobody answers."""
    with sip.kamailio.daemon.hung():
        report = sip.asked(transport, limit_s=SHORT_S)

    what = "TLS handshake" if transport == "tls" else "an answer"
    assert report.result == Failed(FailureReason.READ_TIMEOUT, f"no answer within 0.5 s: waiting for {what}")
    assert report.duration_s < SHORT_S + LATE_S


def test_stopped_server_is_refused(sip: Sip) -> None:
    """At once, over every transport."""
    with sip.kamailio.daemon.stopped():
        results = [sip.asked(transport).result for transport in TRANSPORTS]

    assert results == [Failed(FailureReason.REFUSED, "connection refused")] * 3
