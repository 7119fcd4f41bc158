"""The web configuration file: TLS, passwords and headers, in the format that Prometheus' exporters share.

The keys and their meaning are those of the exporter toolkit's web-configuration.md; what cannot be kept here is refused
rather than passed over.  Every scalar is read as text, as that format means it: a user called 123 stays "123".
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from lvs_agent.config.findings import Report
from lvs_agent.config.messages import findings
from lvs_agent.config.suggest import must_be_one_of
from lvs_agent.errors import ConfigError, Problem
from lvs_agent.files import open_to_read

MAX_FILE = 128 * 1024
_AT = "tls_server_config"
_HASH = re.compile(r"\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""What may be added, with the values that are allowed where not all are."""

_SUITES_OF_TLS13 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""The names of the IANA, which the format uses, and those of OpenSSL."""
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_VERIFY = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,  # whatever the client sends would not be looked at
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class Pem:
    """Something in PEM: in the file at ``path``, else it is ``text``.  ``key`` is what it was given by."""

    key: str
    path: Path | None = None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """How connections are encrypted.

    ``clients`` says whether clients need a certificate of ``client_ca``; one of ``client_sans`` must stand in it, where
    there are any.  ``ciphers`` are OpenSSL's names for TLS 1.2; empty: its usual ones.  ``curve`` None: the usual ones.
    """

    certificate: Pem
    key: Pem
    clients: ssl.VerifyMode
    client_ca: Pem | None
    client_sans: frozenset[str]
    minimum: ssl.TLSVersion
    maximum: ssl.TLSVersion
    ciphers: tuple[str, ...]
    own_preference: bool
    curve: str | None

    @property
    def files(self) -> tuple[Path, ...]:
        """What must be read again when it changes."""
        pems = (self.certificate, self.key, self.client_ca)
        return tuple(pem.path for pem in pems if pem is not None and pem.path is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """What one web configuration file says.

    ``users``: bcrypt hashes by name; without any, everybody may ask.  ``headers`` go with every answer.
    """

    tls: TlsSettings | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)


def _yes_or_no(value: object) -> object:
    word = value.lower() if isinstance(value, str) else None
    if word in {"true", "yes", "on"}:
        return True
    if word in {"false", "no", "off"}:
        return False
    raise ValueError("must be true or false")


_YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]


class _Table(BaseModel):
    """A table of the file: unknown keys are refused, and a key without a value is as good as none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, table: Any) -> Any:
        if table == "":
            return {}
        return {key: value for key, value in table.items() if value != ""} if isinstance(table, dict) else table


class _Tls(_Table):
    cert: str | None = None
    key: SecretStr | None = None
    client_ca: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    client_auth_type: Literal[
        "NoClientCert",
        "RequestClientCert",
        "RequireClientCert",
        "RequireAnyClientCert",
        "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert",
    ] = "NoClientCert"
    client_ca_file: str | None = None
    client_allowed_sans: list[str] = []
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: list[str] = []
    prefer_server_cipher_suites: _YesOrNo = True
    curve_preferences: list[Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]] = []


class _Http(_Table):
    http2: _YesOrNo = True
    """Taken because the format has it: there is no HTTP/2 here, and clients that offer it get HTTP/1.1."""
    headers: dict[str, str] = {}


class _File(_Table):
    tls_server_config: _Tls | None = None
    http_server_config: _Http = _Http()
    basic_auth_users: dict[str, str] = {}


class _QuietComposer(Composer):
    """Says nothing of an anchor that is used twice: there is nobody to read it."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False


def read_web_config(path: Path) -> WebConfig:
    """The web configuration in ``path``.  Raises ConfigError, each problem with its place in the file.

    The files that it names are not read here.
    """
    try:
        with open_to_read(path) as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}")]) from error
    return parse_web_config(content, base=path.absolute().parent)


def parse_web_config(content: bytes, *, base: Path) -> WebConfig:
    """What ``content`` says, where relative paths start at ``base``.  Raises ConfigError with everything wrong."""
    table = _table(content)
    report = Report()
    try:
        file = _File.model_validate({} if table is None else table)
    except ValidationError as error:
        report.add(findings(error, model=_File, table=table, at=()))
        raise ConfigError(report.errors(table if isinstance(table, dict) else {})) from None
    _check_headers(file.http_server_config.headers, report)
    _check_users(file.basic_auth_users, report)
    tls = None if file.tls_server_config is None else _tls(file.tls_server_config, base=base, report=report)
    if problems := report.errors(table or {}):
        raise ConfigError(problems)
    return WebConfig(tls=tls, headers=file.http_server_config.headers, users=file.basic_auth_users)


def _table(content: bytes) -> Any:
    """The file as tables, lists and texts."""
    if len(content) > MAX_FILE:
        raise ConfigError([Problem("", f"is larger than {MAX_FILE // 1024} KiB")])
    yaml = YAML(typ="base", pure=True)
    yaml.Composer = _QuietComposer
    try:
        return yaml.load(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError([Problem("", "is not UTF-8 text; save the file in UTF-8")]) from None
    except MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error)]) from None
    except RecursionError:
        raise ConfigError([Problem("", "lists or tables are nested too deeply")]) from None
    # What the library does not foresee: numbers of versions, escapes out of range, and the like.
    except (YAMLError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        raise ConfigError([Problem("", "is not YAML")]) from None


def _syntax_problem(error: MarkedYAMLError) -> Problem:
    """Where and what, without anything that the file says: it may be a secret."""
    what = re.split(r",|\s*['\"]", str(error.problem or ""))[0]
    mark = error.problem_mark
    place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"
    return Problem(place, f"is not YAML: {what}" if what else "is not YAML")


def _check_headers(headers: Mapping[str, str], report: Report) -> None:
    for name, value in headers.items():
        place = ("http_server_config", "headers", name)
        allowed = _HEADERS.get(name)
        if allowed is None:
            words = must_be_one_of(list(_HEADERS), given=name).removeprefix("must be ")
            report.error(place, f"cannot be set; allowed are {words}".replace(" or ", " and ", 1))
        elif allowed and value not in ("", *allowed):
            report.error(place, must_be_one_of(allowed, given=value))
        elif not (value.isascii() and value.isprintable()):
            report.error(place, "must be one line of ASCII")


def _check_users(users: Mapping[str, str], report: Report) -> None:
    for name, hashed in users.items():
        place = ("basic_auth_users", name)
        if not name or ":" in name or not name.isprintable():
            report.error(place, "the name of a user must not be empty, and must have no colon and no control character")
        if _HASH.fullmatch(hashed) is None:
            report.error(place, "must be a bcrypt hash, as htpasswd -nBC 10 USER prints it after the colon")


def _tls(table: _Tls, *, base: Path, report: Report) -> TlsSettings | None:
    cert = _pem("cert", table.cert, table.cert_file, base=base, report=report)
    key = _pem("key", None if table.key is None else table.key.get_secret_value(), table.key_file, base=base,
               report=report)  # fmt: skip
    client_ca = _pem("client_ca", table.client_ca, table.client_ca_file, base=base, report=report)
    for pem, name in ((cert, "cert_file"), (key, "key_file")):
        if pem is None:
            report.error((_AT, name), "is required")
    clients = _clients(table, client_ca, report)
    minimum, maximum = _versions(table, report)
    ciphers = _ciphers(table.cipher_suites, report)
    if table.cipher_suites and not ciphers:
        if maximum < ssl.TLSVersion.TLSv1_3:
            report.error((_AT, "cipher_suites"), "has no suite for TLS 1.2, and max_version allows no newer version")
        minimum = ssl.TLSVersion.TLSv1_3
    if len(table.curve_preferences) > 1:
        report.error((_AT, "curve_preferences"), "must have at most one curve; without it OpenSSL's are used")
    if cert is None or key is None:
        return None
    return TlsSettings(
        certificate=cert,
        key=key,
        clients=clients,
        client_ca=client_ca,
        client_sans=frozenset(table.client_allowed_sans),
        minimum=minimum,
        maximum=maximum,
        ciphers=ciphers,
        own_preference=table.prefer_server_cipher_suites,
        curve=_CURVES[table.curve_preferences[0]] if table.curve_preferences else None,
    )


def _pem(name: str, text: str | None, file: str | None, *, base: Path, report: Report) -> Pem | None:
    if text is not None and file is not None:
        report.error((_AT, f"{name}_file"), f"must not be set together with {name}")
    if text is not None:
        return Pem(name, text=text)
    return None if file is None else Pem(f"{name}_file", base / file)


def _clients(table: _Tls, client_ca: Pem | None, report: Report) -> ssl.VerifyMode:
    place = (_AT, "client_auth_type")
    clients = _VERIFY.get(table.client_auth_type)
    if clients is None:
        report.error(place, "does not verify client certificates; use RequireAndVerifyClientCert")
        return ssl.CERT_REQUIRED
    if clients is ssl.CERT_NONE and client_ca is not None:
        report.error(place, f"must be RequireAndVerifyClientCert where {client_ca.key} is given")
    if clients is not ssl.CERT_NONE and client_ca is None:
        report.error((_AT, "client_ca_file"), "is required: client certificates are verified with it")
    if table.client_allowed_sans and clients is not ssl.CERT_REQUIRED:
        report.error(place, "must be RequireAndVerifyClientCert where client_allowed_sans is given")
    return clients


def _versions(table: _Tls, report: Report) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    for name, word in (("min_version", table.min_version), ("max_version", table.max_version)):
        if word in {"TLS10", "TLS11"}:
            report.error((_AT, name), "must be TLS12 or TLS13: older versions are broken (RFC 8996)")
        elif word not in _VERSIONS:
            report.error((_AT, name), must_be_one_of(list(_VERSIONS), given=word))
    minimum = _VERSIONS.get(table.min_version, ssl.TLSVersion.TLSv1_2)
    maximum = _VERSIONS.get(table.max_version, ssl.TLSVersion.TLSv1_3)
    if minimum > maximum:
        report.error((_AT, "min_version"), "must not be newer than max_version")
    return minimum, maximum


def _ciphers(suites: list[str], report: Report) -> tuple[str, ...]:
    known = [*_SUITES, *sorted(_SUITES_OF_TLS13)]
    for position, suite in enumerate(suites):
        if suite not in known:
            report.error((_AT, "cipher_suites", position), must_be_one_of(known, given=suite))
    return tuple(_SUITES[suite] for suite in suites if suite in _SUITES)
