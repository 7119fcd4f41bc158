"""HTTP/2 request, over TLS or without; status and body must be as configured."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import ClassVar, Self

from pydantic import model_validator

from lvs_agent.checks.kinds import http
from lvs_agent.checks.kinds.http import exchange as http_exchange
from lvs_agent.checks.kinds.http.exchange import Prepare, Question
from lvs_agent.checks.kinds.http.settings import HttpSettings
from lvs_agent.checks.kinds.http.tls import HTTP_2, over_tls
from lvs_agent.checks.kinds.http2 import exchange as http2_exchange
from lvs_agent.checks.kinds.http2.exchange import Http2Reader, Request
from lvs_agent.checks.net.connection import Connection
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, FailureReason, Target

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "http2"
path = "/health"
virtual_host = "www.example.com"
tls = {}
"""
PASSES = http.PASSES
FAILS = {
    FailureReason.TLS: "with a tls table: the handshake fails, or the certificate is not accepted; many servers without"
    " HTTP/2 end the handshake with 'no application protocol'",
    FailureReason.STATUS: "another status, or a redirect that is not followed",
    FailureReason.CONTENT: http.FAILS[FailureReason.CONTENT],
    FailureReason.PROTOCOL: "the server speaks HTTP/1.1, ends the stream or the connection with an error, breaks the"
    " protocol, or sends more than 2,048 frames",
}
SEEN = "One request for each path, over a connection of its own that ends with GOAWAY."

_OF_HTTP_1 = frozenset({"keep-alive", "proxy-connection"})


class Settings(HttpSettings):
    """Keys of a check with ``type = "http2"``: those of ``http``, and ``tls``."""

    libraries: ClassVar[tuple[str, ...]] = http2_exchange.LIBRARIES
    default_port: ClassVar[int | None] = None

    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification; an empty table is enough.  The server must
    agree on "h2" (ALPN).  Without the table HTTP/2 is used from the first byte on, without TLS ("h2c" with prior
    knowledge)."""

    @model_validator(mode="after")
    def _no_headers_of_http_1(self) -> Self:
        for name in self.headers:
            if name.lower() in _OF_HTTP_1:
                raise ValueError(f"HTTP/2 does not allow the header {name}")
        return self

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One request for each path, each the only one of a new connection."""
    settings: Settings = target.settings

    def check(prepare: Prepare | None) -> Coroutine[object, None, CheckResult]:
        return http_exchange.check(target, run, settings, partial(_ask, run=run, settings=settings, prepare=prepare))

    if settings.tls is None:
        return await check(None)
    return await over_tls(check, target=target, tls=settings.tls, virtual_host=settings.virtual_host, version=HTTP_2)


async def _ask(question: Question, *, run: ProbeRun, settings: Settings, prepare: Prepare | None) -> Http2Reader:
    with Connection(question.endpoint, run) as connection:
        if prepare is not None:
            await prepare(connection)
        return await http2_exchange.exchange(
            connection,
            _request(question, settings),
            body_limit=settings.read_limit,
            progress=run.progress,
            of=question.of,
        )


def _request(question: Question, settings: Settings) -> Request:
    headers = {name.lower(): value for name, value in settings.sent_headers.items()}
    if settings.states_length:
        headers["content-length"] = "0"
    return Request(
        method=settings.method,
        scheme=settings.scheme,
        authority=question.location.host,
        path=question.location.path,
        headers=tuple(headers.items()),
    )
