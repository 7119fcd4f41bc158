"""TLS settings, contexts and certificates for every kind of check that uses TLS.

Contexts are kept until one of their files changes.  Loading one takes milliseconds, so a thousand checks share them.
"""

from __future__ import annotations

import ssl
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from lvs_agent.checks.net.connection import Connection
from lvs_agent.checks.net.lent_files import readable
from lvs_agent.model.check import Errored, ErrorReason, Failed, FailureReason
from lvs_agent.model.ipvs import IPAddress
from lvs_agent.settings.scalars import OwnFile
from lvs_agent.settings.strict import Strict


class MinimumVersion(Enum):
    """Oldest version of TLS that is allowed."""

    TLS_1_0 = "1.0"
    TLS_1_1 = "1.1"
    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


_VERSIONS = {
    MinimumVersion.TLS_1_0: ssl.TLSVersion.TLSv1,
    MinimumVersion.TLS_1_1: ssl.TLSVersion.TLSv1_1,
    MinimumVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2,
    MinimumVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3,
}


def _version(value: object) -> MinimumVersion:
    try:
        return MinimumVersion(value)
    except ValueError:
        raise ValueError('must be "1.0", "1.1", "1.2" or "1.3"') from None


class TlsSettings(Strict):
    """Keys of a check's ``tls`` table."""

    verify: bool = True
    """Whether the server's certificate must be trusted, valid now and issued for server_name."""
    server_name: str | None = None
    """Name to ask for (SNI) and to verify.  Without it virtual_host; without that the checked address is verified."""
    ca_file: OwnFile | None = None
    """Certificates (PEM) to trust instead of the system's; a relative path starts at the configuration file's
    directory, here and below."""
    client_certificate: OwnFile | None = None
    """Certificate chain (PEM) to present to the server."""
    client_key: OwnFile | None = None
    """Private key (PEM) of client_certificate, if it is not in the same file."""
    minimum_version: Annotated[MinimumVersion, BeforeValidator(_version, json_schema_input_type=str)] = (
        MinimumVersion.TLS_1_2
    )
    """Oldest version of TLS that is allowed: "1.0", "1.1", "1.2" or "1.3"."""

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key needs client_certificate")
        if self.ca_file is not None and not self.verify:
            raise ValueError("ca_file has no effect with verify = false")
        return self


class ContextUnusable(Exception):
    """A local file cannot be used.  ``result`` is the result of the probe."""

    def __init__(self, result: Errored) -> None:
        super().__init__(result.detail)
        self.result = result


def context_for(settings: TlsSettings, *, alpn: tuple[str, ...]) -> ssl.SSLContext:
    """The context for these settings, as its files are now.  Raises ContextUnusable.

    ``alpn``: the protocols to offer (RFC 7301); none for a protocol without a registered name.
    """
    named = (settings.ca_file, settings.client_certificate, settings.client_key)
    return _context(settings, alpn, tuple(_state(path) for path in named if path is not None))


async def start_tls(
    connection: Connection,
    settings: TlsSettings,
    *,
    server_name: str | None,
    address: IPAddress,
    alpn: tuple[str, ...] = ("http/1.1",),
) -> float | None:
    """Make the TLS handshake, and return the expiry of the server's certificate in seconds since 1970.

    Raises ContextUnusable, OSError (with ssl.SSLError).
    """
    context = context_for(settings, alpn=alpn)
    wrapped = await connection.encrypt(context, server_name=server_name or str(address))
    certificate = wrapped.getpeercert(binary_form=True)
    return None if certificate is None else not_after(certificate)


@lru_cache(maxsize=4_096)
def not_after(certificate: bytes) -> float | None:
    """The expiry of a certificate (DER) in seconds since 1970; None if it cannot be read."""
    from cryptography import x509  # noqa: PLC0415 - heavy, and only agents with TLS checks need it

    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except ValueError:
        return None


def failure_of(problem: ssl.SSLError) -> Failed:
    """The failure for a TLS error, with a detail such as ``certificate verify failed: self-signed certificate``."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return Failed(FailureReason.TLS, f"certificate verify failed: {problem.verify_message.rstrip('.')}")
    if isinstance(problem, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failed(FailureReason.TLS, "connection closed within TLS")
    return Failed(FailureReason.TLS, (problem.reason or "TLS error").replace("_", " ").lower())


@lru_cache(maxsize=256)
def _context(settings: TlsSettings, alpn: tuple[str, ...], states: tuple[tuple[int, int, int], ...]) -> ssl.SSLContext:
    """A new context.  ``states`` is only part of the cache key, so that a changed file leads to a new context."""
    del states
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        _load(context, settings)
        if alpn:
            context.set_alpn_protocols(list(alpn))
    except ssl.SSLError as problem:
        detail = f"a file of the tls table is not usable: {problem.reason or problem}"
        raise ContextUnusable(Errored(ErrorReason.FILE_MISSING, detail)) from None
    return context


def _load(context: ssl.SSLContext, settings: TlsSettings) -> None:
    context.minimum_version = _VERSIONS[settings.minimum_version]
    if settings.verify:
        if settings.ca_file:
            context.load_verify_locations(readable(settings.ca_file))
        else:
            context.load_default_certs()
    if settings.client_certificate:
        key = None if settings.client_key is None else readable(settings.client_key)
        context.load_cert_chain(readable(settings.client_certificate), key, password=_no_password)


def _no_password() -> str:
    """An empty password: otherwise OpenSSL would ask for the password of an encrypted key on the terminal, and wait."""
    return ""


def _state(path: str) -> tuple[int, int, int]:
    """A value that changes when the file is replaced or rewritten."""
    file = Path(readable(path))
    try:
        found = file.stat()
        with file.open("rb"):
            return found.st_ino, found.st_mtime_ns, found.st_size
    except OSError as problem:
        raise ContextUnusable(
            Errored(ErrorReason.FILE_MISSING, f"{path}: {(problem.strerror or str(problem)).lower()}")
        ) from None
