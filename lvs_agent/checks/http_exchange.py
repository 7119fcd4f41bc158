"""Asking over HTTP and judging the answer: what the http and https checkers have in common."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from lvs_agent.checks.connection import Connection, Endpoint, endpoint_of
from lvs_agent.checks.http_response import ProtocolViolation, ResponseReader
from lvs_agent.checks.http_settings import HttpSettings
from lvs_agent.checks.outcome import outcome_of
from lvs_agent.checks.tls import failure_of
from lvs_agent.core.http_status import reason_phrase
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Progress, Target
from lvs_agent.model.ipvs import IPAddress, address_and_port

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Prepare = Callable[[Connection], Awaitable[None]]
"""What is done on a connection before the request is sent."""


@dataclass(frozen=True, slots=True)
class Location:
    """What to ask for, and where: the address is the target's."""

    port: int
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Question:
    """A location with all that is needed to ask there."""

    location: Location
    endpoint: Endpoint
    request: bytes


def question_at(location: Location, target: Target, settings: HttpSettings) -> Question:
    """What to send, and where, to ask for ``location``."""
    request = settings.request(path=location.path, host=location.host)
    return Question(location, endpoint_of(target.address, location.port), request)


def first_location(target: Target, settings: HttpSettings) -> Location:
    """What the check asks for at first."""
    port = target.port if target.port is not None else settings.default_port or 0
    host = settings.virtual_host
    if host is None:
        host = _authority(target.address, port, default=settings.default_port)
    return Location(port, host, settings.path)


async def check(target: Target, settings: HttpSettings, prepare: Prepare | None = None) -> CheckResult:
    """Ask, follow redirects as far as the settings say, and judge the last answer."""
    question = first_question(target, settings)
    try:
        for left in range(settings.follow_redirects, -1, -1):
            response = await _exchange(question, target.progress, settings, prepare)
            if not left or response.status not in _REDIRECTS or response.status in settings.accepted:
                break
            to = redirected(question.location, response.header("location"), target.address, scheme=settings.scheme)
            if isinstance(to, Failed):
                return to
            question = question_at(to, target, settings)
    except (ProtocolViolation, OSError) as problem:
        return failure(problem)
    return judge(settings, response)


def failure(problem: ProtocolViolation | OSError) -> CheckResult:
    """What a failed exchange says."""
    if isinstance(problem, ProtocolViolation):
        return Failed(FailureReason.PROTOCOL, str(problem))
    if isinstance(problem, ssl.SSLError):  # an OSError too
        return failure_of(problem)
    return outcome_of(problem)


@cache
def _right_status(status: int) -> Passed:
    return Passed(f"status {status}")


def _wrong_status(response: ResponseReader) -> Failed:
    """With the server's own words for its status, where they are not the usual ones."""
    words = [f"status {response.status}"]
    if response.phrase not in {"", reason_phrase(response.status)}:
        words.append(response.phrase)
    return Failed(FailureReason.STATUS, " ".join(words))


def judge(settings: HttpSettings, response: ResponseReader) -> Passed | Failed:
    """Whether this answer is a healthy server's."""
    status = response.status
    if status not in settings.accepted:
        return _wrong_status(response)
    if not settings.wants_body:
        return _right_status(status)
    body = response.body
    if settings.body_contains is not None and settings.body_contains.encode() not in body:
        return Failed(FailureReason.CONTENT, f"{len(body)} bytes of body without the text wanted")
    if settings.pattern is not None and not settings.pattern.search(body.decode("utf-8", "replace")):
        return Failed(FailureReason.CONTENT, f"{len(body)} bytes of body that body_regex does not match")
    return _right_status(status)


def redirected(here: Location, to: str | None, address: IPAddress, *, scheme: str) -> Location | Failed:
    """Where a redirect leads, as far as it stays on ``address``."""
    try:
        url = urlsplit(urljoin(f"{scheme}://{here.host}{here.path}", to or ""))
        port, name = url.port, url.hostname
    except ValueError:
        return Failed(FailureReason.STATUS, "redirect to something that is no URL")
    if not to or not name or not to.isascii() or not to.isprintable() or " " in to:
        return Failed(FailureReason.STATUS, "redirect to something that is no URL")
    if url.scheme != scheme:
        return Failed(FailureReason.STATUS, f"redirect to {url.scheme}, which this check does not speak")
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
    """What every probe of ``target`` asks at first; made once."""
    question = target.progress.prepared
    if not isinstance(question, Question) or question.endpoint.poller.closed:
        question = target.progress.prepared = question_at(first_location(target, settings), target, settings)
    return question


async def _exchange(
    question: Question, progress: Progress, settings: HttpSettings, prepare: Prepare | None
) -> ResponseReader:
    response = ResponseReader(body_limit=settings.read_limit, has_body=settings.method != "HEAD")
    with Connection(question.endpoint, progress) as connection:
        if prepare is not None:
            await prepare(connection)
        await connection.send(question.request, then="response headers")
        while not response.take(await connection.receive()):
            if response.status:
                progress.waiting_for = "response body"
    return response
