"""Access: passwords before the endpoints, and the operator's headers on every answer."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Executor
from functools import partial

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lvs_agent.clock import Clock
from lvs_agent.log import get_logger
from lvs_agent.web.admission import client_of
from lvs_agent.web.app import SecureHeaders
from lvs_agent.web.passwords import Credentials, Passwords, credentials
from lvs_agent.web.probes_only import OPEN_PATHS, visit_of
from lvs_agent.web.security import Security
from lvs_agent.web.turnstile import TooMany, Turnstile

log = get_logger()

_LOGGED_EVERY_S = 60.0


class Guard:
    """Lets requests through to ``app`` as ``security`` says.  ``executor`` looks at one password at a time, and has one
    thread.
    """

    def __init__(self, app: ASGIApp, *, security: Security, executor: Executor, clock: Clock) -> None:
        self._app = app
        self._security = security
        self._turnstile = Turnstile(executor)
        self._clock = clock
        self._refuse = SecureHeaders(_refusal())
        self._put_off = SecureHeaders(_postponement())
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
            return
        visit = visit_of(scope)
        given = None if header is None else credentials(header)
        is_known = given is not None and passwords.is_known(given)
        if header is None and scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, _status_alone(send))
        elif visit is not None and visit.is_spare and not is_known:
            await self._app(scope, receive, _status_alone(send))  # which answers to probes alone
        else:
            try:
                is_right = given is not None and await self._is_right(passwords, given, scope, receive)
            except TooMany:
                await self._put_off(scope, receive, send)
                return
            if is_right:
                if visit is not None:
                    visit.trust()
                await self._app(scope, receive, send)
            else:
                if header is not None:
                    self._note_refusal(scope)
                await self._refuse(scope, receive, send)

    async def _is_right(self, passwords: Passwords, given: Credentials, scope: Scope, receive: Receive) -> bool:
        """Raises TooMany.  False where the client does not wait for the answer."""
        if passwords.is_known(given):
            return True
        if passwords.is_known_to_be_wrong(given):
            return False
        client = client_of(scope["client"][0]) if scope.get("client") else ""
        asking = asyncio.ensure_future(self._turnstile.verify(client, partial(passwords.verify, given)))
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
            return asking.done() and asking.result()
        finally:
            gone.cancel()
            asking.cancel()

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


def _postponement() -> Response:
    """The answer to clients that must wait, because many passwords are to be looked at before theirs."""
    return Response(
        json.dumps({"error": "too many passwords are being verified; ask again later"}),
        status_code=429,
        headers={"retry-after": "1"},
        media_type="application/json",
    )


async def _until_gone(receive: Receive) -> None:
    """Wait until the client has ended the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


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
