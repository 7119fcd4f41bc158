"""The endpoints.  Nothing is rendered on the loop: a scrape of many servers would keep the others waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lvs_agent.clock import Clock
from lvs_agent.web.events import BadQuestion, events_document, read_question
from lvs_agent.web.kernel import KernelReader
from lvs_agent.web.packing import compressed, takes_gzip
from lvs_agent.web.page_files import SCRIPT_HASH, STYLE_HASH
from lvs_agent.web.scrape import Scrapes
from lvs_agent.web.shown import Shown
from lvs_agent.web.sources import Sources
from lvs_agent.web.status import is_live, what_is_missing
from lvs_agent.web.why_answer import Unanswerable

STATUS_TIMEOUT_S = 2.0
"""How long the status waits for the kernel."""

_T = TypeVar("_T")


class Endpoints:
    """What answers requests.  ``executor`` does the rendering."""

    def __init__(
        self,
        *,
        sources: Sources,
        kernel: KernelReader,
        clock: Clock,
        executor: Executor,
    ) -> None:
        self._sources = sources
        self._kernel = kernel
        self._clock = clock
        self._executor = executor
        self._scrapes = Scrapes(sources=sources, kernel=kernel, clock=clock, executor=executor)

    def app(self) -> ASGIApp:
        """The application with all its routes."""
        routes = [
            Route("/", self._page),
            Route("/metrics", self._scrapes.answer),
            Route("/livez", self._livez),
            Route("/readyz", self._readyz),
            Route("/api/v1/status", self._status),
            Route("/api/v1/why", self._why),
            Route("/api/v1/events", self._events),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _problem})
        app.router.redirect_slashes = False
        return SecureHeaders(app)

    async def _status(self, _: Request) -> Response:
        kernel = await self._kernel.read(within_s=STATUS_TIMEOUT_S)
        return await self._aside(lambda: _json(Shown(self._sources, kernel.statistics).status()))

    async def _why(self, request: Request) -> Response:
        kernel = await self._kernel.read(within_s=STATUS_TIMEOUT_S)
        given = request.query_params
        try:
            return await self._aside(lambda: _json(Shown(self._sources, kernel.statistics).why(given)))
        except Unanswerable as problem:
            raise HTTPException(problem.status, str(problem)) from problem

    async def _events(self, request: Request) -> Response:
        try:
            query = read_question(request.query_params.multi_items(), now=self._clock.now())
        except BadQuestion as problem:
            raise HTTPException(HTTPStatus.BAD_REQUEST, str(problem)) from problem
        return await self._aside(lambda: _json(events_document(self._sources.events, query)))

    async def _page(self, request: Request) -> Response:
        kernel = await self._kernel.read(within_s=STATUS_TIMEOUT_S)
        given = request.query_params.multi_items()
        compress = takes_gzip(request.headers.get("accept-encoding", ""))
        return await self._aside(lambda: _html(Shown(self._sources, kernel.statistics).page(given), compress=compress))

    async def _livez(self, _: Request) -> Response:
        vitals = self._sources.vitals()
        live = is_live(vitals)
        answer = {"live": live, "check_loop_turned_s_ago": round(vitals.last_turn_age_s, 3)}
        return _json(answer, status=200 if live else 503)

    async def _readyz(self, _: Request) -> Response:
        missing = what_is_missing(self._sources.vitals())
        return _json({"ready": not missing, "missing": missing}, status=503 if missing else 200)

    async def _aside(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _html(text: str, *, compress: bool) -> Response:
    headers, body = {"vary": "Accept-Encoding"}, _utf8(text)
    if not compress:
        return Response(body, headers=headers, media_type="text/html")
    return Response(compressed(body), headers={**headers, "content-encoding": "gzip"}, media_type="text/html")


def _json(answer: object, *, status: int = 200) -> Response:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(_utf8(text), status_code=status, media_type="application/json")


def _utf8(text: str) -> bytes:
    """``text`` in bytes, whatever is in it: the name of a file need not be Unicode."""
    return text.encode(errors="replace")


def _problem(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    response = _json({"error": error.detail}, status=error.status_code)
    response.headers.update(error.headers or {})
    return response


class SecureHeaders:
    """Adds to every answer what keeps a browser from doing anything with it but show it."""

    _HEADERS = (
        (
            b"content-security-policy",
            f"default-src 'none'; style-src '{STYLE_HASH}'; script-src '{SCRIPT_HASH}'; connect-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'".encode(),
        ),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._HEADERS]
            await send(message)

        await self._app(scope, receive, send_secured)
