"""Requests over HTTP and their results: what the HTTP checks have in common."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from lvs_agent.checks.kinds.http.response import NoResponse, ProtocolViolation, ResponseReader
from lvs_agent.checks.kinds.http.settings import AnswerSettings, HttpSettings
from lvs_agent.checks.net.connection import Connection, Endpoint, endpoint_of
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import failure_of
from lvs_agent.model.check import CheckResult, Disconnection, Errored, Failed, FailureReason, HttpFacts, Passed, Target
from lvs_agent.model.http_status import reason_phrase
from lvs_agent.model.ipvs import IPAddress, address_and_port

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses that lead elsewhere (RFC 9110, 15.4)."""

_CLOSED = HttpFacts(disconnection=Disconnection.CLOSED)
_RESET = HttpFacts(disconnection=Disconnection.RESET)

Prepare = Callable[[Connection], Awaitable[None]]
"""What is done on a connection before the request is sent."""


class Answer(Protocol):
    """A response as far as it was read, whatever version of HTTP it came in."""

    @property
    def status(self) -> int: ...

    @property
    def phrase(self) -> str:
        """The server's phrase for its status, printable; may be empty."""

    @property
    def body(self) -> bytes: ...

    def header(self, name: str) -> str | None:
        """The value of a header (a name in lower case), or None."""


@dataclass(frozen=True, slots=True)
class Location:
    """What to request, and where: the address is the target's."""

    port: int
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Question:
    """A location with all that is needed for the request."""

    location: Location
    endpoint: Endpoint
    request: bytes
    of: str = ""
    """What distinguishes it from others while its answer is awaited."""


Exchange = Callable[[Question], Awaitable[Answer]]
"""Sends the request over a new connection.  Raises ProtocolViolation, OSError (with ssl.SSLError)."""


def question_at(location: Location, target: Target, settings: HttpSettings, *, of: str = "") -> Question:
    """What to send, and where, to ask for ``location``."""
    request = settings.request(path=location.path, host=location.host)
    return Question(location, endpoint_of(target.address, location.port), request, of)


def first_location(target: Target, settings: HttpSettings, *, path: str) -> Location:
    """What the check asks for at first, for one path."""
    port = target.port if target.port is not None else settings.default_port or 0
    host = settings.virtual_host
    if host is None:
        host = _authority(target.address, port, default=settings.default_port)
    return Location(port, host, path)


async def check(target: Target, run: ProbeRun, settings: HttpSettings, exchange: Exchange) -> CheckResult:
    """Ask, once or for each path, until an answer does not pass."""
    if settings.paths is None:
        return await _asked(run.cached(first_question, target, settings), target, settings, exchange)
    for path in settings.paths:
        run.progress.restart()
        run.progress.waiting_for = f"connection for {path}"
        question = question_at(first_location(target, settings, path=path), target, settings, of=f" of {path}")
        result = await _asked(question, target, settings, exchange)
        if isinstance(result, Failed):  # without facts: they would not say of which path they are
            return replace(result, detail=f"{path}: {result.detail}", http=None)
        if isinstance(result, Errored):
            return replace(result, detail=f"{path}: {result.detail}")
    return Passed(f"all paths ({len(settings.paths)})")


async def _asked(question: Question, target: Target, settings: HttpSettings, exchange: Exchange) -> CheckResult:
    """Ask, follow redirects as far as the settings say, and judge the last answer."""
    try:
        for left in range(settings.follow_redirects, -1, -1):
            response = await exchange(question)
            if not left or response.status not in REDIRECTS or response.status in settings.accepted:
                break
            to = redirected(question.location, response.header("location"), target.address, scheme=settings.scheme)
            if isinstance(to, Failed):
                return to
            question = question_at(to, target, settings, of=question.of)
    except (ProtocolViolation, OSError) as problem:
        return failure(problem)
    return judge(settings, response)


def failure(problem: ProtocolViolation | OSError) -> CheckResult:
    """What a failed exchange says."""
    if isinstance(problem, ProtocolViolation):
        closed = isinstance(problem, NoResponse)
        return Failed(FailureReason.PROTOCOL, str(problem), http=_CLOSED if closed else None)
    if isinstance(problem, ssl.SSLError):  # an OSError too
        return failure_of(problem)
    result = outcome_of(problem)
    if isinstance(result, Failed) and problem.errno == errno.ECONNRESET:
        return replace(result, http=_RESET)
    return result


@cache
def _passed_status(status: int) -> Passed:
    return Passed(f"status {status}", http=HttpFacts(status))


def _failed_status(response: Answer) -> Failed:
    """With the server's own phrase for its status, if it is not the usual one."""
    status, phrase = response.status, response.phrase
    if phrase == reason_phrase(status):
        phrase = ""
    return Failed(FailureReason.STATUS, f"status {status} {phrase}".rstrip(), http=HttpFacts(status, phrase))


def judge(settings: AnswerSettings, response: Answer) -> Passed | Failed:
    """Whether this answer is a healthy server's."""
    status = response.status
    if status not in settings.accepted:
        return _failed_status(response)
    problem = _body_problem(settings, response.body) if settings.wants_body else None
    return _passed_status(status) if problem is None else Failed(FailureReason.CONTENT, problem)


def _body_problem(settings: AnswerSettings, body: bytes) -> str | None:
    """Why the body fails; None if it passes."""
    if settings.body_sha256 is not None:
        if len(body) > settings.body_limit:
            return f"more than {settings.body_limit} bytes of body, so that its SHA-256 is not known"
        digest = sha256(body).hexdigest()
        if digest != settings.body_sha256:
            return f"{len(body)} bytes of body with another SHA-256, {digest}"
    if settings.body_contains is not None and settings.body_contains.encode() not in body:
        return f"{len(body)} bytes of body without the text of body_contains"
    if settings.pattern is not None and not settings.pattern.search(body.decode("utf-8", "replace")):
        return f"{len(body)} bytes of body that body_regex does not match"
    return None


def redirected(here: Location, to: str | None, address: IPAddress, *, scheme: str) -> Location | Failed:
    """Where a redirect leads, as far as it stays on ``address``."""
    try:
        url = urlsplit(urljoin(f"{scheme}://{here.host}{here.path}", to or ""))
        port, name = url.port, url.hostname
    except ValueError:
        return Failed(FailureReason.STATUS, "redirect to something that is not a URL")
    if not to or not name or not to.isascii() or not to.isprintable() or " " in to:
        return Failed(FailureReason.STATUS, "redirect to something that is not a URL")
    if url.scheme != scheme:
        return Failed(FailureReason.STATUS, f"redirect to {url.scheme}, which this check does not follow")
    if _is_other_address(name, address):
        return Failed(FailureReason.STATUS, f"redirect to another address, {name}")
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    same_host = url.netloc == here.host
    return Location(here.port if same_host or port is None else port, url.netloc.rpartition("@")[2], path)


def _is_other_address(name: str, address: IPAddress) -> bool:
    try:
        return ip_address(name) != address
    except ValueError:
        return False


def _authority(address: IPAddress, port: int, *, default: int | None) -> str:
    if port == default:
        return str(address) if address.version == 4 else f"[{address}]"
    return address_and_port(address, port)


def first_question(target: Target, settings: HttpSettings) -> Question:
    """What every probe of ``target`` with one path asks at first."""
    return question_at(first_location(target, settings, path=settings.path), target, settings)


async def ask(
    question: Question, *, run: ProbeRun, settings: HttpSettings, prepare: Prepare | None = None
) -> ResponseReader:
    """The ``Exchange`` of HTTP/1.1."""
    response = ResponseReader(body_limit=settings.read_limit, has_body=settings.method != "HEAD")
    with Connection(question.endpoint, run) as connection:
        if prepare is not None:
            await prepare(connection)
        await connection.send(question.request, then=f"response headers{question.of}")
        while not response.take(await connection.receive()):
            if response.status:
                run.progress.waiting_for = f"response body{question.of}"
    return response
