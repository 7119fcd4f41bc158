"""Certificates that tests make for themselves."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


class Authority:
    """Signs certificates.  Its own is in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(path.stem)
        builder = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        path.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def issue(self, certificate: Path, key: Path, *names: str) -> None:
        """Write a certificate for ``names`` (addresses, DNS names, e-mail addresses or URIs) and its key."""
        secret = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name("leaf"), self._name, secret).add_extension(
            x509.SubjectAlternativeName([_san(name) for name in names]), critical=False
        )
        certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        key.write_bytes(key_pem(secret))


def key_pem(key: ec.EllipticCurvePrivateKey, *, password: bytes | None = None) -> bytes:
    """``key``, protected by ``password`` where there is one."""
    form = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - dt.timedelta(days=1))
        .not_valid_after(_NOW + dt.timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _san(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(name))
    if "//" in name:
        return x509.UniformResourceIdentifier(name)
    return x509.RFC822Name(name) if "@" in name else x509.DNSName(name)
