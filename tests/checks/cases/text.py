"""The checkers of LDAP, FTP, NNTP, Redis, memcached, and of any text over TCP."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.checks import servers, text_servers
from tests.checks.cases import Case, at_server, at_unused_port

HOSTILE = {
    "silent": servers.silent,
    "dripping": servers.dripping,
    "flooding": servers.flooding,
    "flooding garbage": servers.flooding_garbage,
    "resetting": servers.resetting,
    "garbage": servers.garbage,
    "closing early": servers.closing_early,
}
UNVERIFIED: dict[str, Any] = {"tls": {"verify": False}}
STEPS: dict[str, Any] = {"steps": [{"send": "PING\r\n", "expect": "+PONG"}]}
PONG = text_servers.resp({"PING": b"+PONG\r\n"})
VERSION = text_servers.talking({"VERSION": b"VERSION 1.6.18\r\n"})
NEWS = text_servers.talking({"QUIT": b"205 bye\r\n"}, greeting=b"200 ready\r\n")
FILES = text_servers.talking(
    {"USER": b"331 password\r\n", "PASS": b"230-hello\r\n230 in\r\n", "QUIT": b"221 bye\r\n"}, greeting=b"220 ready\r\n"
)
DIRECTORY = text_servers.directory()


def case(kind: str, handler: servers.Handler, *, encrypted: bool = False, **settings: Any) -> Case:
    """A healthy server and hostile ones; kinds that can use TLS are tried with and without it."""
    at = partial(at_server, kind=kind, **settings)
    hostile = {name: partial(at, handler=it) for name, it in HOSTILE.items()}
    if encrypted:
        hostile |= {f"{name} within TLS": partial(at, handler=it, encrypted=True) for name, it in HOSTILE.items()}
    return Case(
        healthy=partial(at, handler=handler, encrypted=encrypted),
        hostile={"refused": partial(at_unused_port, kind=kind), **hostile},
        hanging=partial(at, handler=servers.silent),
    )


CASES = {
    "tcp": case("tcp", text_servers.talking({"PING": b"+PONG\r\n"}), **STEPS),
    "redis": case("redis", PONG),
    "memcached": case("memcached", VERSION),
    "nntp": case("nntp", NEWS),
    "ftp": case("ftp", FILES),
    "ldap": case("ldap", DIRECTORY, base="dc=example"),
    "ldaps": case("ldaps", DIRECTORY, encrypted=True, base="dc=example", **UNVERIFIED),
}
