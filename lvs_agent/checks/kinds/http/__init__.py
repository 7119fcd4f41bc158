"""HTTP request; status and body must be as configured."""

from __future__ import annotations

import socket
from collections.abc import Coroutine
from functools import partial

from lvs_agent.checks.kinds.http import exchange as http_exchange
from lvs_agent.checks.kinds.http.response import ProtocolViolation, ResponseReader
from lvs_agent.checks.kinds.http.settings import HttpSettings
from lvs_agent.checks.net.connection import RECEIVE_SIZE, STREAM, UNDER_WAY
from lvs_agent.checks.net.poller import READ, READ_WRITE
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.model.check import CheckResult, FailureReason, Target

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "http"
path = "/health"
virtual_host = "www.example.com"
status = ["200-299", 304]
body_contains = "ready"
"""
PASSES = "The status is one of those in status, and the body passes its tests; with paths, this holds for each of them."
FAILS = {
    FailureReason.STATUS: "another status, or a redirect that is not followed; the server's own phrase for it is shown",
    FailureReason.CONTENT: "the body lacks the text, does not match the expression, or has another SHA-256",
    FailureReason.PROTOCOL: "no HTTP response, a malformed one, headers of more than 32KiB, or the server closes the"
    " connection",
}
SEEN = (
    "One request for each path, over a connection of its own, with `User-Agent: lvs-agent/VERSION` (unless headers sets"
    " another) and `Connection: close`.  A body that is not tested is not read: the server may see a reset."
)


class Settings(HttpSettings):
    """Keys of a check with ``type = "http"``."""


def probe(target: Target, run: ProbeRun) -> Coroutine[object, None, CheckResult]:
    """One request for each path, over a new connection, HTTP/1.1 with ``Connection: close``."""
    settings: Settings = target.settings
    if settings.follow_redirects or settings.paths:
        exchange = partial(http_exchange.ask, run=run, settings=settings)
        return http_exchange.check(target, run, settings, exchange)
    return _ask(target, run, settings)


async def _ask(target: Target, run: ProbeRun, settings: Settings) -> CheckResult:  # noqa: C901 - in one piece on purpose
    """What ``http_exchange.check`` does for one path, without redirects and TLS, in one piece.

    There are thousands of these each second, and every call into another function costs a part of what the system
    calls do.
    """
    progress, poller = run.progress, run.poller
    question = run.cached(http_exchange.first_question, target, settings)
    family, address = question.endpoint
    try:
        connection = socket.SocketType(family, STREAM, 0)
    except OSError as problem:
        return http_exchange.failure(problem)
    descriptor = connection.fileno()
    try:
        # see Connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        number = connection.connect_ex(address)
        if number not in UNDER_WAY:
            return http_exchange.failure(OSError(number, "connect"))
        try:
            left = question.request[connection.send(question.request) :]
        except BlockingIOError:
            left = question.request
        poller.register(descriptor, READ_WRITE if left else READ)
        while left:
            await poller.ready(descriptor)
            try:
                left = left[connection.send(left) :]
            except BlockingIOError:
                continue
        progress.stage = Stage.CONNECTED
        progress.waiting_for = "response headers"
        response = ResponseReader(body_limit=settings.read_limit, has_body=settings.method != "HEAD")
        while True:
            await poller.ready(descriptor)
            try:
                while not response.take(connection.recv(RECEIVE_SIZE)):
                    if response.status:
                        progress.waiting_for = "response body"
            except BlockingIOError:
                continue
            return http_exchange.judge(settings, response)
    except (ProtocolViolation, OSError) as problem:
        return http_exchange.failure(problem)
    finally:
        poller.forget(descriptor)
        connection.close()
