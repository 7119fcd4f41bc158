"""Certificates for the tests of checkers that speak TLS."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.checks import servers
from tests.checks.first_probe import FirstProbes

_NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate with its key, in one PEM file."""

    path: Path
    not_after: float

    def server_context(self, *, clients: Path | None = None) -> ssl.SSLContext:
        """A server's context; with ``clients``, it asks for certificates that this file has issued."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What a test of TLS needs.  All are self-signed, so each is its own authority."""

    good: Certificate
    expired: Certificate
    client: Certificate


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for www.example.com and 127.0.0.1, made once."""
    directory = tmp_path_factory.mktemp("certificates")
    return Certificates(
        good=_certificate(directory / "good.pem", days=30),
        expired=_certificate(directory / "expired.pem", days=-1),
        client=_certificate(directory / "client.pem", days=30),
    )


def _certificate(path: Path, *, days: int) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example.com")])
    until = _NOW + dt.timedelta(days=days)
    names = [x509.DNSName("www.example.com"), x509.IPAddress(ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - dt.timedelta(days=60))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem + secret)
    return Certificate(path=path, not_after=until.timestamp())


@pytest.fixture(scope="module")
def first_probes() -> Iterator[FirstProbes]:
    """New processes to probe in."""
    with FirstProbes() as running:
        yield running


@pytest.fixture(autouse=True)
def _only_own_processes() -> None:
    """What earlier tests have left running is not this one's."""
    servers.forget_strangers()
