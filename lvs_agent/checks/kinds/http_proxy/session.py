"""What an http_proxy check does with httpx: a request through the proxy, and what its answer or its end means."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import httpx

from lvs_agent.checks.kinds.http import exchange as http_exchange
from lvs_agent.checks.kinds.http.exchange import REDIRECTS
from lvs_agent.checks.kinds.http.tls import HTTP_1
from lvs_agent.checks.kinds.http_proxy.settings import Settings
from lvs_agent.checks.net.dialogue import printable
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Progress, Stage
from lvs_agent.checks.net.tls import ContextUnusable, context_for, not_after
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Target
from lvs_agent.model.http_status import reason_phrase
from lvs_agent.model.ipvs import address_and_port

_WAITS: Mapping[str, str] = MappingProxyType(
    {
        "start_tls.started": "TLS handshake through the proxy",
        "receive_response_headers.started": "response headers",
        "receive_response_body.started": "response body",
    }
)
"""What a step of the library waits for."""


class _Answer(NamedTuple):
    """A response as far as it was read."""

    status: int
    phrase: str
    body: bytes
    location: str | None
    certificate_not_after: float | None

    def header(self, name: str) -> str | None:
        return self.location if name == "location" else None


async def examine(target: Target, run: ProbeRun) -> CheckResult:
    """The result of a probe."""
    settings: Settings = target.settings
    try:
        context = context_for(settings.tls, alpn=(HTTP_1,))
        async with httpx.AsyncHTTPTransport(verify=context, proxy=_proxy(target), trust_env=False) as transport:
            answer = await _followed(transport, run.progress, settings)
    except ContextUnusable as problem:
        return problem.result
    except httpx.ProxyError as problem:
        return Failed(FailureReason.STATUS, f"no tunnel: status {_in_short(str(problem))}")
    except (httpx.TransportError, OSError) as problem:
        return _failure(problem, run.progress)
    return replace(http_exchange.judge(settings, answer), certificate_not_after=answer.certificate_not_after)


def _proxy(target: Target) -> httpx.Proxy:
    settings: Settings = target.settings
    password = settings.password
    auth = None if settings.user is None or password is None else (settings.user, password.get_secret_value())
    return httpx.Proxy(f"http://{address_and_port(target.address, target.port or 0)}", auth=auth)


async def _followed(transport: httpx.AsyncHTTPTransport, progress: Progress, settings: Settings) -> _Answer:
    """The last answer, after as many redirects as the settings say."""
    url: httpx.URL | None = httpx.URL(settings.url)
    left = settings.follow_redirects
    while url is not None:
        progress.restart()
        answer = await _ask(transport, url, progress, settings)
        follow = left and answer.status in REDIRECTS and answer.status not in settings.accepted
        url = _joined(url, answer.location) if follow else None
        left -= 1
    return answer


def _joined(here: httpx.URL, location: str | None) -> httpx.URL | None:
    """Where a redirect leads; None where that is nothing that a proxy can be asked for."""
    try:
        there = here.join(location or "")
    except httpx.InvalidURL:
        return None
    return there if location and there.scheme in {"http", "https"} and there.host else None


async def _ask(transport: httpx.AsyncHTTPTransport, url: httpx.URL, progress: Progress, settings: Settings) -> _Answer:
    async def trace(name: str, _: Mapping[str, Any]) -> None:
        step = name.partition(".")[2]
        if step == "connect_tcp.complete":
            progress.stage = Stage.CONNECTED
        progress.waiting_for = _WAITS.get(step, progress.waiting_for)

    headers = settings.sent_headers | {"Connection": "close"}
    request = httpx.Request(settings.method, url, headers=headers, extensions={"trace": trace})
    response = await transport.handle_async_request(request)
    try:
        body = await _body(response, limit=settings.read_limit)
    finally:
        await response.aclose()
    return _Answer(
        response.status_code,
        printable(response.reason_phrase),
        body,
        response.headers.get("location"),
        _expiry(response),
    )


async def _body(response: httpx.Response, *, limit: int) -> bytes:
    """What came of the body, as it came, up to the limit."""
    body = b""
    if limit:
        reading = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
        async with aclosing(reading) as pieces:
            async for piece in pieces:
                body += piece[: limit - len(body)]
                if len(body) >= limit:
                    break
    return body


def _expiry(response: httpx.Response) -> float | None:
    """When the certificate of the server behind the proxy expires."""
    wrapped = response.extensions["network_stream"].get_extra_info("ssl_object")
    certificate = None if wrapped is None else wrapped.getpeercert(binary_form=True)
    return None if certificate is None else not_after(certificate)


def _in_short(words: str) -> str:
    """A status with its phrase, without the phrase where it is the usual one."""
    status, _, phrase = printable(words).partition(" ")
    return status if not phrase or phrase == reason_phrase(int(status)) else f"{status} {phrase}"


def _failure(problem: Exception, progress: Progress) -> CheckResult:
    """What an error of the library says: the system's or TLS's words are behind it."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, OSError) and (cause.errno or isinstance(cause, ssl.SSLError)):
            return http_exchange.failure(cause)
        cause = cause.__cause__ or cause.__context__
    if progress.waiting_for == _WAITS["start_tls.started"]:
        return Failed(FailureReason.TLS, "connection closed within TLS")
    return Failed(FailureReason.PROTOCOL, printable(str(problem)) or "connection closed")
