"""The TOML keys of an ``oracle`` check."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from lvs_agent.checks.kinds._sql import QuerySettings
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.settings.check import IDNA_CODEC
from lvs_agent.settings.scalars import Line


class Settings(QuerySettings):
    """Keys of a check with ``type = "oracle"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.kinds.oracle.session", IDNA_CODEC)
    extra_library: ClassVar[str | None] = "oracledb"
    default_port: ClassVar[int | None] = 1521

    service_name: Line | None = None
    """Service to ask the listener for.  Either this or sid is required."""
    sid: Line | None = None
    """Instance to ask the listener for.  Either this or service_name is required."""
    tls: TlsSettings | None = None
    """Settings of TLS (TCPS) and of the certificate's verification.  Without this table everything but the password is
    sent in plain text."""

    @model_validator(mode="after")
    def _one_is_named(self) -> Self:
        if (self.service_name is None) == (self.sid is None):
            raise ValueError("needs either service_name or sid")
        if self.password is None:
            raise ValueError("needs password")
        return self
