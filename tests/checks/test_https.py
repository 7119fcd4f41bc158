from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lvs_agent.checks.kinds.https import Settings
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, HttpFacts, Passed
from tests.checks.conftest import Certificate, Certificates
from tests.checks.servers import answering, ok, result_of, run, serving, spec


def checked(certificate: Certificate, *, clients: Path | None = None, **settings: Any) -> CheckResult:
    """The result of an HTTPS check of a healthy server with this certificate."""

    async def main() -> CheckResult:
        async with serving(answering(ok()), tls=certificate.server_context(clients=clients)) as port:
            return await result_of(spec("https", port=port, **settings))

    return run(main())


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="the address"),
        pytest.param({"virtual_host": "www.example.com"}, id="the virtual host"),
        pytest.param({"virtual_host": "www.example.com:8443"}, id="the virtual host without its port"),
    ],
)
def test_trusted_certificate_passes_with_its_expiry(certificates: Certificates, settings: dict[str, Any]) -> None:
    """The name that is verified is the one asked for, or the address."""
    good = certificates.good

    result = checked(good, tls={"ca_file": str(good.path)}, **settings)

    assert result == Passed("status 200", good.not_after, http=HttpFacts(200))


def test_expiry_is_told_without_verification(certificates: Certificates) -> None:
    """Who does not verify still sees when the certificate ends, even where that is over."""
    expired = certificates.expired

    assert checked(expired, tls={"verify": False}) == Passed("status 200", expired.not_after, http=HttpFacts(200))


def test_expiry_is_told_with_a_failure(certificates: Certificates) -> None:
    """A wrong status does not hide the certificate."""
    result = checked(certificates.good, tls={"verify": False}, status=[204])

    assert result == Failed(FailureReason.STATUS, "status 200", certificates.good.not_after, http=HttpFacts(200))


def test_certificate_that_nobody_trusts_fails(certificates: Certificates) -> None:
    """Verification is on by default."""
    assert checked(certificates.good) == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")


def test_certificate_for_another_name_fails(certificates: Certificates) -> None:
    """The name is verified, not the chain alone."""
    tls = {"ca_file": str(certificates.good.path), "server_name": "other.example.com"}
    result = checked(certificates.good, tls=tls)

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.TLS
    assert "other.example.com" in result.detail


def test_expired_certificate_fails(certificates: Certificates) -> None:
    """A certificate that has run out is named so."""
    expired = certificates.expired

    assert checked(expired, tls={"ca_file": str(expired.path)}) == Failed(
        FailureReason.TLS, "certificate verify failed: certificate has expired"
    )


def test_client_certificate_is_shown(certificates: Certificates) -> None:
    """A server that asks for a certificate gets it."""
    client = certificates.client.path

    result = checked(certificates.good, clients=client, tls={"verify": False, "client_certificate": str(client)})

    assert isinstance(result, Passed)


def test_missing_client_certificate_fails(certificates: Certificates) -> None:
    """A server that refuses us without a certificate fails, whether it says so or just closes."""
    result = checked(certificates.good, clients=certificates.client.path, tls={"verify": False})

    assert isinstance(result, Failed)
    assert result.reason in {FailureReason.TLS, FailureReason.PROTOCOL}


def test_missing_file_is_our_own_fault(certificates: Certificates, tmp_path: Path) -> None:
    """A file that is missing or unusable says nothing about the server; once corrected, it is used at once."""
    ca_file = tmp_path / "ca.pem"
    missing = checked(certificates.good, tls={"ca_file": str(ca_file)})
    ca_file.write_text("nonsense")
    broken = checked(certificates.good, tls={"ca_file": str(ca_file)})
    ca_file.write_bytes(certificates.good.path.read_bytes())
    right = checked(certificates.good, tls={"ca_file": str(ca_file)})

    assert missing == Errored(ErrorReason.FILE_MISSING, f"{ca_file}: no such file or directory")
    assert isinstance(broken, Errored)
    assert broken.reason is ErrorReason.FILE_MISSING
    assert isinstance(right, Passed)


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ({"client_key": "x"}, "client_key needs client_certificate"),
        ({"ca_file": "x", "verify": False}, "ca_file has no effect with verify = false"),
        ({"minimum_version": "1.4"}, 'must be "1.0", "1.1", "1.2" or "1.3"'),
    ],
)
def test_wrong_tls_settings_are_refused(tls: dict[str, Any], message: str) -> None:
    """Every wrong value says what it must be."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate({"tls": tls})

    assert message in str(raised.value)
