"""Access: passwords before the endpoints, and the operator's headers on every answer."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Executor

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lvs_agent.clock import Clock
from lvs_agent.log import get_logger
from lvs_agent.web.app import SecureHeaders
from lvs_agent.web.passwords import Credentials, Passwords, credentials
from lvs_agent.web.security import Security

log = get_logger()

OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""Answered without a password: probes of orchestrators cannot give one."""
_LOGGED_EVERY_S = 60.0


class Guard:
    """Lets requests through to ``app`` as ``security`` says.  ``executor`` looks at one password at a time."""

    def __init__(self, app: ASGIApp, *, security: Security, executor: Executor, clock: Clock) -> None:
        self._app = app
        self._security = security
        self._executor = executor
        self._clock = clock
        self._refuse = SecureHeaders(_refusal())
        self._refused = 0
        self._logged_at: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._security.refresh()
        passwords = self._security.passwords
        send = _with_headers(send, self._security.headers)
        header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if not passwords:
            await self._app(scope, receive, send)
        elif header is None and scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, _status_alone(send))
        elif await self._is_right(passwords, None if header is None else credentials(header)):
            await self._app(scope, receive, send)
        else:
            if header is not None:
                self._note_refusal(scope)
            await self._refuse(scope, receive, send)

    async def _is_right(self, passwords: Passwords, given: Credentials | None) -> bool:
        if given is None:
            return False
        if passwords.is_known(given):
            return True
        return await asyncio.get_running_loop().run_in_executor(self._executor, passwords.verify, given)

    def _note_refusal(self, scope: Scope) -> None:
        """Log wrong passwords, once a minute at most, without name and password, which people mix up."""
        self._refused += 1
        now = self._clock.monotonic()
        if self._logged_at is None or now - self._logged_at >= _LOGGED_EVERY_S:
            client = scope.get("client")
            log.warning("password_refused", client=client[0] if client else None, refused_since_last=self._refused)
            self._logged_at, self._refused = now, 0


def _refusal() -> Response:
    """The answer to clients without a valid password."""
    return Response(
        json.dumps({"error": "a user and its password are required"}),
        status_code=401,
        headers={"www-authenticate": 'Basic realm="lvs-agent", charset="UTF-8"'},
        media_type="application/json",
    )


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Replaces our own headers by the operator's of the same name."""
    if not headers:
        return send
    names = {name for name, _ in headers}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [pair for pair in message["headers"] if pair[0].lower() not in names]
            message = {**message, "headers": [*own, *headers]}
        await send(message)

    return send_with_headers


def _status_alone(send: Send) -> Send:
    """Leaves the body out of an answer."""

    async def send_status(message: Message) -> None:
        if message["type"] == "http.response.start":
            unsaid = (b"content-length", b"content-type")
            own = [pair for pair in message["headers"] if pair[0].lower() not in unsaid]
            message = {**message, "headers": [*own, (b"content-length", b"0")]}
        elif message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_status
