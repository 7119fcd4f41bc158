"""TLS below the checkers of HTTP: which name is asked for, which version of HTTP is agreed on, and the expiry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from lvs_agent.checks.kinds.http.exchange import Prepare
from lvs_agent.checks.kinds.http.response import ProtocolViolation
from lvs_agent.checks.net.connection import Connection
from lvs_agent.checks.net.tls import ContextUnusable, TlsSettings, start_tls
from lvs_agent.model.check import CheckResult, Errored, Target

HTTP_1 = "http/1.1"
HTTP_2 = "h2"


async def over_tls(
    check: Callable[[Prepare], Awaitable[CheckResult]],
    *,
    target: Target,
    tls: TlsSettings,
    virtual_host: str | None,
    version: str,
) -> CheckResult:
    """The result of ``check``, which encrypts its connections by what it is given; with the certificate's expiry.

    ``version``: what is offered by ALPN (RFC 7301); the server must agree on HTTP/2; for HTTP/1.1 it need not answer.
    """
    name = tls.server_name or name_of(virtual_host)
    expiry: float | None = None

    async def encrypt(connection: Connection) -> None:
        nonlocal expiry
        expiry = await start_tls(connection, tls, server_name=name, address=target.address, alpn=(version,))
        if version == HTTP_2 and connection.application_protocol != HTTP_2:
            raise ProtocolViolation("the server did not select HTTP/2 in the TLS handshake (ALPN)")

    try:
        result = await check(encrypt)
    except ContextUnusable as problem:
        return problem.result
    return result if isinstance(result, Errored) else replace(result, certificate_not_after=expiry)


def name_of(virtual_host: str | None) -> str | None:
    """The name in a Host header, without its port and brackets."""
    if virtual_host is None:
        return None
    if virtual_host.startswith("["):
        return virtual_host[1:].partition("]")[0]
    return virtual_host.partition(":")[0]
