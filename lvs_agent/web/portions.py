"""Long answers go out in portions: a client that does not read holds one of them, and not a copy of the answer."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PORTION = 64 * 1024
"""Bytes; uvicorn waits for the client before the next one where this one could not be sent."""


class Portions:
    """``app`` with its answers in portions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_portions(message: Message) -> None:
            body = memoryview(message.get("body", b""))
            if len(body) <= PORTION:
                await send(message)
                return
            for start in range(0, len(body), PORTION):
                more = start + PORTION < len(body) or message.get("more_body", False)
                await send({**message, "body": bytes(body[start : start + PORTION]), "more_body": more})

        await self._app(scope, receive, send_in_portions)
