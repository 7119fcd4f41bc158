"""HTTPS request; certificate, status and body must be as configured."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import ClassVar

from pydantic import Field

from lvs_agent.checks.kinds import http
from lvs_agent.checks.kinds.http import exchange as http_exchange
from lvs_agent.checks.kinds.http.exchange import Prepare
from lvs_agent.checks.kinds.http.settings import HttpSettings
from lvs_agent.checks.kinds.http.tls import HTTP_1, over_tls
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, FailureReason, Target

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "https"
path = "/health"
virtual_host = "www.example.com"
body_regex = "ready|busy"
tls = { ca_file = "/etc/ssl/own-ca.pem" }
"""
PASSES = f"The certificate is trusted, valid now and made for the name.  {http.PASSES}"
FAILS = {FailureReason.TLS: "the handshake fails, or the certificate is not accepted"} | http.FAILS
SEEN = f"A TLS handshake with the virtual host's name (SNI) that offers http/1.1 (ALPN).  {http.SEEN}"


class Settings(HttpSettings):
    """Keys of a check with ``type = "https"``: those of ``http``, and ``tls``."""

    default_port: ClassVar[int | None] = 443

    tls: TlsSettings = Field(default_factory=TlsSettings)
    """Settings of TLS and of the certificate's verification."""

    @property
    def scheme(self) -> str:
        return "https"


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One request for each path over a new TLS connection; the certificate's expiry goes with the result, verified or
    not.
    """
    settings: Settings = target.settings

    def check(encrypt: Prepare) -> Coroutine[object, None, CheckResult]:
        exchange = partial(http_exchange.ask, run=run, settings=settings, prepare=encrypt)
        return http_exchange.check(target, run, settings, exchange)

    return await over_tls(check, target=target, tls=settings.tls, virtual_host=settings.virtual_host, version=HTTP_1)
