"""The checkers that speak HTTP otherwise than in its first version to the server itself."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.checks import http2_servers, servers
from tests.checks.cases import Case, at_unused_port
from tests.checks.cases.basic import HOSTILE_TO_HTTP, WANTED
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


CASES = {
    "http2": http2_case("http2", healthy=http2_servers.healthy, **WANTED),
    "grpc": http2_case("grpc", healthy=http2_servers.serving_status),
}
