"""The checkers that speak HTTP otherwise than in its first version to the server itself."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from tests.checks import http2_servers, servers
from tests.checks.cases import Case, at_server, at_unused_port
from tests.checks.cases.basic import HEALTHY, HOSTILE_TO_HTTP, WANTED
from tests.checks.http2_servers import at_http2_server, speaking


def http2_case(kind: str, *, healthy: http2_servers.Answer, **settings: Any) -> Case:
    """How to try a checker that speaks HTTP/2, plain and over TLS."""
    at = partial(at_http2_server, kind=kind, **settings)
    handlers = HOSTILE_TO_HTTP | {name: speaking(it) for name, it in http2_servers.HOSTILE.items()}
    return Case(
        healthy=partial(at, handler=speaking(healthy)),
        hostile={"refused": partial(at_unused_port, kind=kind)}
        | {name: partial(at, handler=it) for name, it in handlers.items()}
        | {f"{name} within TLS": partial(at, handler=it, encrypted=True) for name, it in handlers.items()},
        hanging=partial(at, handler=servers.silent),
    )


URL, SECURE_URL = "http://www.example.com/", "https://www.example.com/"


def tunnel_to(handler: servers.Handler) -> servers.Handler:
    """A proxy whose tunnels end at ``handler``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await handler(reader, writer)

    return handle


CASES = {
    "http2": http2_case("http2", healthy=http2_servers.healthy, **WANTED),
    "http_proxy": Case(
        healthy=partial(at_server, kind="http_proxy", handler=HEALTHY, url=URL, **WANTED),
        hostile={"refused": partial(at_unused_port, kind="http_proxy", url=URL)}
        | {
            name: partial(at_server, kind="http_proxy", handler=it, url=URL, **WANTED)
            for name, it in HOSTILE_TO_HTTP.items()
        }
        | {
            f"{name} before a tunnel": partial(at_server, kind="http_proxy", handler=it, url=SECURE_URL, **WANTED)
            for name, it in HOSTILE_TO_HTTP.items()
        }
        | {
            f"{name} in a tunnel": partial(at_server, kind="http_proxy", handler=tunnel_to(it), url=SECURE_URL)
            for name, it in HOSTILE_TO_HTTP.items()
        },
        hanging=partial(at_server, kind="http_proxy", handler=servers.silent, url=SECURE_URL),
    ),
    "grpc": http2_case("grpc", healthy=http2_servers.serving_status),
}
