"""HTTPS request; certificate, status and body must be as wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from lvs_agent.checks import http_exchange
from lvs_agent.checks.connection import Connection
from lvs_agent.checks.http_settings import HttpSettings
from lvs_agent.checks.tls import ContextUnusable, TlsSettings, start_tls
from lvs_agent.model.check import CheckResult, Errored, Target

LEAN = True


class Settings(HttpSettings):
    """Keys of a check with ``type = "https"``: those of ``http``, and ``tls``."""

    default_port: ClassVar[int | None] = 443
    scheme: ClassVar[str] = "https"

    tls: TlsSettings = Field(default_factory=TlsSettings)
    """How TLS is spoken, and what is asked of the server's certificate."""


async def probe(target: Target) -> CheckResult:
    """One request over a new TLS connection; the certificate's expiry goes with the result, verified or not."""
    settings: Settings = target.settings
    name = settings.tls.server_name or _name_of(settings.virtual_host)
    expiry: float | None = None

    async def encrypt(connection: Connection) -> None:
        nonlocal expiry
        expiry = await start_tls(connection, settings.tls, server_name=name, address=target.address)

    try:
        result = await http_exchange.check(target, settings, encrypt)
    except ContextUnusable as problem:
        return problem.result
    return result if isinstance(result, Errored) else replace(result, certificate_not_after=expiry)


def _name_of(virtual_host: str | None) -> str | None:
    """The name in a Host header, without its port and brackets."""
    if virtual_host is None:
        return None
    if virtual_host.startswith("["):
        return virtual_host[1:].partition("]")[0]
    return virtual_host.partition(":")[0]
