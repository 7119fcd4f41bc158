"""Receivers of alerts: a webhook and a mail server that keep what they get, on one host's loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.lab.hosts import Host

_LOOPBACK = "127.0.0.1"


class Notification(NamedTuple):
    """One message: ``way`` is a URL's path, or the address that a mail went to.

    ``about``: the alert's name and its service (or ""); ``text``: the whole message.
    """

    way: str
    status: str
    about: tuple[str, str]
    text: str


class Receivers:
    """Both receivers, and the messages that they got so far.  The lists only grow."""

    def __init__(self) -> None:
        self.calls: list[Notification] = []
        self.mails: list[Notification] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd
        """Receive one mail."""
        content = envelope.content
        message = message_from_bytes(content if isinstance(content, bytes) else b"", policy=policy.default)
        body = message.get_body(("html", "plain"))
        status, name, *service = str(message["Subject"]).split()
        text = f"{message['Subject']}\n{'' if body is None else body.get_content()}"
        about = (name, service[0] if service else "")
        self.mails.append(Notification(envelope.rcpt_tos[0], status.strip("[]").lower(), about, text))
        return "250 taken"

    def call(self, path: str, body: str) -> None:
        """Receive one call."""
        found = json.loads(body)
        labels = found["groupLabels"]
        about = (labels["alertname"], labels.get("virtual_service", ""))
        self.calls.append(Notification(path, found["status"], about, body))


@contextmanager
def receiving(host: Host, *, webhook_port: int, smtp_port: int) -> Iterator[Receivers]:
    """Within the block both listen on ``host``'s loopback."""
    receivers = Receivers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receivers.call(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the tests look at what came."""

    with host.inside():
        # Sockets stay where they were made, whichever thread serves them.
        webhook = HTTPServer((_LOOPBACK, webhook_port), Handler)
        mail = socket.create_server((_LOOPBACK, smtp_port))
    loop = asyncio.new_event_loop()
    threads = [
        threading.Thread(target=webhook.serve_forever),
        threading.Thread(target=_serve_mail, args=(loop, mail, receivers)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield receivers
    finally:
        webhook.shutdown()
        loop.call_soon_threadsafe(loop.stop)
        for thread in threads:
            thread.join()
        webhook.server_close()


def _serve_mail(loop: asyncio.AbstractEventLoop, listening: socket.socket, receivers: Receivers) -> None:
    asyncio.set_event_loop(loop)
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(receivers, hostname="lab", loop=loop), sock=listening)
    )
    try:
        loop.run_forever()
    finally:
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
