"""With what a command shows itself to an agent, and by what it knows the agent: names, passwords and certificates."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import click

from lvs_agent.errors import ConfigError, NoAnswer

if TYPE_CHECKING:
    from lvs_agent.web.web_config import Pem

USER_VARIABLE = "LVS_AGENT_USER"
PASSWORD_VARIABLE = "LVS_AGENT_PASSWORD_FILE"  # noqa: S105 - where the password is, and not the password
_MAX_PASSWORD = 4096
_USER_IN_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)([^/?#]*)@(.*)", re.DOTALL)
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_ANOTHER_HOST = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_WANTS_A_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "UNKNOWN_CA", "BAD_CERTIFICATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to speak with an agent.

    ``context`` None: the CAs that the system trusts.  ``user`` None: no login.
    """

    context: ssl.SSLContext | None = None
    user: str | None = None
    password: str = field(default="", repr=False)

    @property
    def auth(self) -> tuple[str, str] | None:
        """Name and password, where there are any."""
        return None if self.user is None else (self.user, self.password)


def without_user(url: str) -> tuple[str, tuple[str, str] | None]:
    """``url`` without the name and password that it may have, and those."""
    match = _USER_IN_URL.fullmatch(url)
    if match is None:
        return url, None
    user, _, password = match[2].partition(":")
    return match[1] + match[3], (unquote(user), unquote(password))


def user_of_environment() -> tuple[str, str] | None:
    """The name and password in the environment.  Raises UsageError if only one of them is set."""
    user, file = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if not user and not file:
        return None
    if not user or not file:
        raise click.UsageError(f"{USER_VARIABLE} and {PASSWORD_VARIABLE} must be set together")
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_MAX_PASSWORD + 1)
        if len(content) > _MAX_PASSWORD:
            raise click.UsageError(f"{PASSWORD_VARIABLE}: {file} is longer than {_MAX_PASSWORD} bytes")
        return user, content.decode().rstrip("\r\n")
    except OSError as error:
        raise click.UsageError(f"{PASSWORD_VARIABLE}: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise click.UsageError(f"{PASSWORD_VARIABLE}: {file} is not UTF-8 text") from None


def client_context(*, ca_file: Path | None, cert: Path | None, key: Path | None, only: str | None) -> ssl.SSLContext:
    """A context that trusts ``ca_file`` (None: whom the system trusts), and shows the certificate ``cert``.

    ``only``, a certificate in PEM: no other is taken, under whatever name its owner was reached.  Raises UsageError.
    """
    if key is not None and cert is None:
        raise click.UsageError("--key must be given together with --cert")
    try:
        if only is None:
            context = ssl.create_default_context(cafile=ca_file)
        else:
            context = ssl.create_default_context(cadata=only)
            context.check_hostname = False
            context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--ca-file: {ca_file} cannot be used: {_why(error)}") from error
    try:
        if cert is not None:
            context.load_cert_chain(cert, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--cert, --key: {cert} cannot be used with its key: {_why(error)}") from error
    return context


def certificate_of(web_config_file: Path) -> str | None:
    """The certificate in PEM that an agent with this web configuration shows; None where it speaks plain HTTP."""
    from lvs_agent.web.web_config import read_web_config  # noqa: PLC0415 - few configurations need its libraries

    try:
        tls = read_web_config(web_config_file).tls
    except ConfigError as error:
        raise NoAnswer(f"{web_config_file}: {error.problems[0]}; give --url and --ca-file") from error
    if tls is None:
        return None
    match = _CERTIFICATE.search(_text(tls.certificate))
    if match is None:
        raise NoAnswer(f"{tls.certificate.path or web_config_file} holds no PEM certificate; give --url and --ca-file")
    return match[0]


def _text(pem: Pem) -> str:
    if pem.path is None:
        return pem.text
    try:
        return pem.path.read_bytes().decode("latin-1")
    except OSError as error:
        raise NoAnswer(f"{pem.path} cannot be read: {error.strerror}; give --url and --ca-file") from error


def refusal_of_tls(error: BaseException) -> str | None:
    """What a failed handshake means and what to do; None where ``error`` comes of something else."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _ANOTHER_HOST:
            return f"has a certificate for another host ({cause.verify_message}): give that name in --url"
        trust = "give --ca-file, or --config on the host of the agent"
        return f"has a certificate that is not trusted ({cause.verify_message}): {trust}"
    reason = cause.reason or "no reason given"
    if any(word in reason for word in _WANTS_A_CERTIFICATE):
        return f"requires a client certificate, or refuses the one given ({reason}): give --cert and --key"
    return f"failed the TLS handshake ({reason}): if it speaks plain HTTP, give http:// in --url"


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "no certificate or key in PEM"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
