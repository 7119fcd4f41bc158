"""What connections beyond the limit get: answers at ``/livez`` and ``/readyz``, and nothing else."""

from __future__ import annotations

import json

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lvs_agent.web.admission import VISIT, Visit

OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""Answered to everybody, without a password too: probes of orchestrators cannot give one."""


class ProbesOnly:
    """``app`` for connections that have a place; for others its answers to probes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(scope)
        if visit is None or not visit.is_spare or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
        else:
            await _full()(scope, receive, send)


def visit_of(scope: Scope) -> Visit | None:
    """The connection of a request."""
    visit: Visit | None = scope.get("state", {}).get(VISIT)
    return visit


def _full() -> Response:
    return Response(
        json.dumps({"error": "too many clients are connected"}),
        status_code=503,
        headers={"retry-after": "1"},
        media_type="application/json",
    )
