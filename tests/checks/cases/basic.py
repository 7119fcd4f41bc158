"""The checkers that speak HTTP, open a connection, ping, run a program, or do nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.checks import servers
from tests.checks.cases import Case, at_server, at_unused_port, without_server

WANTED: dict[str, Any] = {"body_contains": "test", "body_limit": "1MiB"}
UNVERIFIED: dict[str, Any] = {"tls": {"verify": False}, **WANTED}
HOSTILE_TO_HTTP = {
    "silent": servers.silent,
    "dripping": servers.dripping,
    "dripping body": servers.dripping_body,
    "flooding": servers.flooding,
    "flooding garbage": servers.flooding_garbage,
    "flooding body": servers.flooding_body,
    "resetting": servers.resetting,
    "garbage": servers.garbage,
    "closing early": servers.closing_early,
}
HEALTHY = servers.answering(servers.ok())
SLEEPING = partial(without_server, kind="command", command=["/bin/sleep", "60"])

CASES = {
    "http": Case(
        healthy=partial(at_server, kind="http", handler=HEALTHY, **WANTED),
        hostile={"refused": partial(at_unused_port, kind="http")}
        | {name: partial(at_server, kind="http", handler=it, **WANTED) for name, it in HOSTILE_TO_HTTP.items()},
        hanging=partial(at_server, kind="http", handler=servers.silent),
    ),
    "https": Case(
        healthy=partial(at_server, kind="https", handler=HEALTHY, encrypted=True, **UNVERIFIED),
        hostile={"refused": partial(at_unused_port, kind="https")}
        | {f"{name} before TLS": partial(at_server, kind="https", handler=it) for name, it in HOSTILE_TO_HTTP.items()}
        | {
            f"{name} within TLS": partial(at_server, kind="https", handler=it, encrypted=True, **UNVERIFIED)
            for name, it in HOSTILE_TO_HTTP.items()
        },
        hanging=partial(at_server, kind="https", handler=servers.silent),
    ),
    "ping": Case(healthy=partial(without_server, kind="ping")),
    "none": Case(
        healthy=partial(without_server, kind="none"),
        hostile={"down": partial(without_server, kind="none", result="down")},
    ),
    "command": Case(
        healthy=partial(without_server, kind="command", command=["/bin/true"]),
        hostile={
            "sleeping": SLEEPING,
            "failing": partial(without_server, kind="command", command=["/bin/false"]),
            "flooding": partial(without_server, kind="command", command=["/usr/bin/yes"]),
        },
        hanging=SLEEPING,
    ),
}
