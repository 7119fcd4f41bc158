"""Encryption of what is served: from settings to a context, and one context that others can stand behind."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from lvs_agent.errors import ConfigError, Problem
from lvs_agent.files import open_to_read
from lvs_agent.web.web_config import Pem, TlsSettings

MAX_PEM = 1024 * 1024
_AT = "tls_server_config"


class ServerContext(ssl.SSLContext):
    """A context for the connections of clients.  ``client_sans``: names of which a client's certificate has one."""

    client_sans: frozenset[str] = frozenset()


class _Admitting(ssl.SSLObject):
    """Ends a handshake with a client whose certificate is good but belongs to nobody that is let in."""

    def do_handshake(self) -> None:
        super().do_handshake()
        wanted = self.context.client_sans if isinstance(self.context, ServerContext) else frozenset()
        if wanted and wanted.isdisjoint(names_of(self.getpeercert() or {})):
            raise ssl.SSLError("the client's certificate has none of the names in client_allowed_sans")


class ReloadingSSLContext(ssl.SSLContext):
    """Gives each new connection to the context that is in force when it comes."""

    _current: Callable[[], ssl.SSLContext]

    def __new__(cls, current: Callable[[], ssl.SSLContext]) -> Self:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self._current = current
        return self

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return self._current().wrap_bio(*arguments, **options)


def server_context(tls: TlsSettings) -> ServerContext:
    """A context of ``tls``, with what its files hold now.  Raises ConfigError with everything that cannot be used."""
    problems: list[Problem] = []
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Admitting
    context.client_sans = tls.client_sans
    context.minimum_version, context.maximum_version = tls.minimum, tls.maximum
    context.set_alpn_protocols(["http/1.1"])
    if not tls.own_preference:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    if tls.curve is not None:
        context.set_ecdh_curve(tls.curve)
    certificate, key = _content(tls.certificate, problems), _content(tls.key, problems)
    if certificate is not None and key is not None:
        _take_certificate(context, certificate, key, tls, problems)
    if tls.client_ca is not None and (authority := _content(tls.client_ca, problems)) is not None:
        _take_authority(context, authority, tls.client_ca, problems)
    context.verify_mode = tls.clients
    if problems:
        raise ConfigError(problems)
    return context


def names_of(certificate: Mapping[str, Any]) -> set[str]:
    """The subject alternative names of ``certificate``, which is as ``SSLObject.getpeercert`` gives it."""
    names = set()
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in {"DNS", "email", "URI"}:
            names.add(name)
        elif kind == "IP Address":
            names.add(_address(name))
    return names


def _address(written: str) -> str:
    """In the usual form: OpenSSL writes every group of an IPv6 address."""
    try:
        return str(ip_address(written.strip()))
    except ValueError:
        return written


def _content(pem: Pem, problems: list[Problem]) -> bytes | None:
    """What is in ``pem``; None where it cannot be read, which is then among ``problems``."""
    place = f"{_AT}.{pem.key}"
    if pem.path is None:
        return pem.text.encode()
    try:
        with suppress(PermissionError):
            if not stat.S_ISREG(pem.path.stat().st_mode):  # opening a pipe would wait
                problems.append(Problem(place, f"{pem.path} is not a file"))
                return None
        with open_to_read(pem.path) as file:
            content = file.read(MAX_PEM + 1)
    except OSError as error:
        problems.append(Problem(place, f"{pem.path} cannot be read: {error.strerror}"))
        return None
    if len(content) > MAX_PEM:
        problems.append(Problem(place, f"{pem.path} is larger than {MAX_PEM // 1024} KiB"))
        return None
    return content


def _take_certificate(
    context: ssl.SSLContext, certificate: bytes, key: bytes, tls: TlsSettings, problems: list[Problem]
) -> None:
    if not _is_certificate(certificate):
        problems.append(Problem(f"{_AT}.{tls.certificate.key}", "holds no certificate in PEM that can be used"))
        return
    try:
        with _file_of(certificate) as certificate_file, _file_of(key) as key_file:
            # A key with a password would be asked for on the terminal, if there were no answer.
            context.load_cert_chain(certificate_file, key_file, password=lambda: b"")
    except ssl.SSLError as error:
        own = error.reason == "KEY_VALUES_MISMATCH"
        text = "does not belong to the certificate" if own else "holds no private key in PEM that can be used"
        if b"ENCRYPTED" in key:
            text = "is protected by a password; give a key without a password"
        problems.append(Problem(f"{_AT}.{tls.key.key}", text))
    except (OSError, ValueError) as error:
        problems.append(Problem(f"{_AT}.{tls.key.key}", f"cannot be used: {error}"))


def _take_authority(context: ssl.SSLContext, authority: bytes, pem: Pem, problems: list[Problem]) -> None:
    try:
        context.load_verify_locations(cadata=authority.decode("latin-1"))
    except (ssl.SSLError, ValueError):
        problems.append(Problem(f"{_AT}.{pem.key}", "holds no certificate in PEM that can be used"))


def _is_certificate(content: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=content.decode("latin-1"))
    except (ssl.SSLError, ValueError):
        return False
    return True


@contextmanager
def _file_of(content: bytes) -> Iterator[Path]:
    """A file with ``content`` that is nowhere but in memory: OpenSSL takes certificates and keys from files alone."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
