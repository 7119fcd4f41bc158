"""Request through a forward proxy, which is what is checked; status and body of the answer must be as wanted."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Self, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from lvs_agent.checks import http_exchange
from lvs_agent.checks.dialogue import printable
from lvs_agent.checks.http_exchange import REDIRECTS
from lvs_agent.checks.http_settings import AnswerSettings
from lvs_agent.checks.http_tls import HTTP_1
from lvs_agent.checks.outcome import outcome_of
from lvs_agent.checks.settings import Secret
from lvs_agent.checks.shared import shared
from lvs_agent.checks.threads import Threads
from lvs_agent.checks.tls import ContextUnusable, TlsSettings, context_for, not_after
from lvs_agent.core.http_status import reason_phrase
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Progress, Stage, Target
from lvs_agent.model.ipvs import address_and_port

if TYPE_CHECKING:
    import httpx

EXAMPLE = """
[virtual_service.check]
type = "http_proxy"
url = "https://www.example.com/health"
user = "monitor"
password_file = "/etc/lvs-agent/proxy-password"
body_contains = "ready"
"""
PASSES = (
    "The answer that comes through the proxy has a wanted status, and the body has what is asked of it.  For an https"
    " URL the certificate of the server behind the proxy is trusted, valid now and made for the name in the URL."
)
FAILS = {
    FailureReason.STATUS: "another status, be it the server's or the proxy's own (407: credentials, 503: no way to the"
    " server), or no tunnel",
    FailureReason.CONTENT: "the body lacks the text, does not match the expression, or has another SHA-256",
    FailureReason.TLS: "through the tunnel: the handshake or the certificate is wrong",
    FailureReason.PROTOCOL: "no HTTP response, a broken one, or the proxy hangs up",
}
SEEN = (
    "The proxy: a request for the absolute URL, or CONNECT, from the director.  The server behind it: a request with"
    " `User-Agent: lvs-agent/VERSION` from the proxy."
)

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_OF_PROXY = "proxy-authorization"
_WAITS: Mapping[str, str] = MappingProxyType(
    {
        "start_tls.started": "TLS handshake through the proxy",
        "receive_response_headers.started": "response headers",
        "receive_response_body.started": "response body",
    }
)
"""What a step of the library waits for."""


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _VISIBLE.fullmatch(value) or "#" in value or "@" in parts.netloc:
        raise ValueError('an absolute URL is wanted, like "http://www.example.com/" or "https://www.example.com/"')
    return value


class Settings(AnswerSettings):
    """Keys of a check with ``type = "http_proxy"``."""

    default_port: ClassVar[int | None] = 3_128

    url: Annotated[str, AfterValidator(_url)]
    """What the proxy is asked for: an http URL by a request for all of it, an https URL through a tunnel (CONNECT)."""
    user: Annotated[str, Field(min_length=1)] | None = None
    """User to name to the proxy (Basic)."""
    password: Secret | None = None
    """The user's password."""
    follow_redirects: Annotated[int, Field(ge=0, le=10)] = 0
    """Redirects to follow where the status is not one that passes; each is asked of the same proxy."""
    tls: TlsSettings = Field(default_factory=TlsSettings)
    """How TLS is spoken with the server of an https URL, and what is asked of its certificate.  server_name is always
    the name in the URL."""

    @model_validator(mode="after")
    def _user_and_password(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password can only be given together")
        if self.user is not None and ":" in self.user:
            raise ValueError("user must not have a colon (RFC 7617, 2)")
        if any(name.lower() == _OF_PROXY for name in self.headers):
            raise ValueError("use user and password for Proxy-Authorization")
        if self.tls.server_name is not None:
            raise ValueError("tls.server_name has no effect here: the name in url is asked for and verified")
        return self


class _Answer(NamedTuple):
    """A response as far as it was read."""

    status: int
    phrase: str
    body: bytes
    location: str | None
    certificate_not_after: float | None

    def header(self, name: str) -> str | None:
        return self.location if name == "location" else None


class _Library:
    """httpx.  Loading it takes some tenths of a second, in which no other check could go on: so a thread does it."""

    def __init__(self) -> None:
        self._loaded = False

    async def load(self, progress: Progress) -> None:
        """Wait until it is there.  Running out of time meanwhile is nothing that the proxy has done."""
        if not self._loaded:
            progress.stage, progress.waiting_for = Stage.QUEUED, "the HTTP library"
            await shared(Threads).run(partial(import_module, "httpx"), cancel=_nothing, progress=progress)
            self._loaded = True
            progress.restart()

    async def close(self) -> None:
        """What is loaded stays."""


def _nothing() -> None:
    """Loading cannot be stopped, and is over soon."""


async def probe(target: Target) -> CheckResult:
    """One request over a new connection to the proxy."""
    settings: Settings = target.settings
    try:
        await shared(_Library).load(target.progress)
    except OSError as problem:  # no thread to load it in
        return outcome_of(problem)
    import httpx  # noqa: PLC0415 - only agents with checks of proxies need it

    try:
        context = context_for(settings.tls, alpn=(HTTP_1,))
        async with httpx.AsyncHTTPTransport(verify=context, proxy=_proxy(target), trust_env=False) as transport:
            answer = await _followed(transport, target.progress, settings)
    except ContextUnusable as problem:
        return problem.result
    except httpx.ProxyError as problem:
        return Failed(FailureReason.STATUS, f"no tunnel: status {_in_short(str(problem))}")
    except (httpx.TransportError, OSError) as problem:
        return _failure(problem, target.progress)
    return replace(http_exchange.judge(settings, answer), certificate_not_after=answer.certificate_not_after)


def _proxy(target: Target) -> httpx.Proxy:
    import httpx  # noqa: PLC0415 - as above

    settings: Settings = target.settings
    password = settings.password
    auth = None if settings.user is None or password is None else (settings.user, password.get_secret_value())
    return httpx.Proxy(f"http://{address_and_port(target.address, target.port or 0)}", auth=auth)


async def _followed(transport: httpx.AsyncHTTPTransport, progress: Progress, settings: Settings) -> _Answer:
    """The last answer, after as many redirects as the settings say."""
    import httpx  # noqa: PLC0415 - as above

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
    import httpx  # noqa: PLC0415 - as above

    try:
        there = here.join(location or "")
    except httpx.InvalidURL:
        return None
    return there if location and there.scheme in {"http", "https"} and there.host else None


async def _ask(transport: httpx.AsyncHTTPTransport, url: httpx.URL, progress: Progress, settings: Settings) -> _Answer:
    import httpx  # noqa: PLC0415 - as above

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
