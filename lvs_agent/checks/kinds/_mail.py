"""The TOML keys that the checks of mail servers share, and what they ask of a list of capabilities."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lvs_agent.checks.net.dialogue import CheckFailed
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import FailureReason
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Secret

_NOT_IN_A_LINE = frozenset("\0\r\n")


class StartTls(Enum):
    """Whether the connection changes to TLS on the way."""

    OFF = "off"
    REQUIRED = "required"


def _starttls(value: object) -> StartTls:
    try:
        return StartTls(value)
    except ValueError:
        raise ValueError('must be "off" or "required"') from None


def _one_line(value: str) -> str:
    if _NOT_IN_A_LINE & set(value):
        raise ValueError("must be one line")
    return value


def _secret_line(value: Secret) -> Secret:
    _one_line(value.get_secret_value())
    return value


class LoginSettings(CheckSettings):
    """Keys of a check of a mail server: what it must offer, and how to log in."""

    capability: Annotated[str, Field(min_length=1), AfterValidator(_one_line)] | None = None
    """A capability that the server must offer (with STARTTLS: after it), in upper or lower case: a keyword, or a
    keyword with words that must follow it.  "SIZE" and "AUTH PLAIN" for smtp, "AUTH=PLAIN" for imap,
    "SASL PLAIN" for pop."""
    user: Annotated[str, Field(min_length=1), AfterValidator(_one_line)] | None = None
    """User to log in as.  Without it there is no login."""
    password: Annotated[Secret, AfterValidator(_secret_line)] | None = None
    """The password of user.  It is never printed."""

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password must be set together")
        return self

    @property
    def login(self) -> tuple[str, str] | None:
        """User and password, where there is a login."""
        if self.user is None or self.password is None:
            return None
        return self.user, self.password.get_secret_value()


class EncryptedSettings(LoginSettings):
    """Keys of a check of a mail server that speaks TLS from the start."""

    tls: TlsSettings = Field(default_factory=TlsSettings)
    """Settings of TLS and of the certificate's verification."""


class StartTlsSettings(LoginSettings):
    """Keys of a check of a mail server that begins without TLS."""

    starttls: Annotated[StartTls, BeforeValidator(_starttls, json_schema_input_type=str)] = StartTls.OFF
    """"required": start TLS before anything else; fail if not offered.  "off": no TLS."""
    tls: TlsSettings = Field(default_factory=TlsSettings)
    """Settings of TLS after starttls, and of the certificate's verification."""
    allow_plain: bool = False
    """Whether the password may be sent without TLS, readable to everyone on the network path."""

    @model_validator(mode="after")
    def _login_is_private(self) -> Self:
        if self.starttls is StartTls.REQUIRED:
            return self
        if self.user is not None and not self.allow_plain:
            raise ValueError('a login needs starttls = "required", or allow_plain = true')
        if "tls" in self.model_fields_set:
            raise ValueError('tls needs starttls = "required"')
        return self

    @property
    def uses_tls(self) -> bool:
        """Whether STARTTLS is asked for."""
        return self.starttls is StartTls.REQUIRED


def demand(capability: str | None, *, offered: Iterable[str], of: str) -> None:
    """Raise CheckFailed if ``capability`` is not among the ``offered`` lines, each a keyword followed by words."""
    if capability is None:
        return
    keyword, *words = capability.upper().split() or [""]
    for line in offered:
        first, *others = line.upper().split() or [""]
        if first == keyword and set(words) <= set(others):
            return
    raise CheckFailed(FailureReason.CONTENT, f"{of}: {capability} is not offered")
