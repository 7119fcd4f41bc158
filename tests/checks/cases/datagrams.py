"""The checkers that ask in datagrams."""

from __future__ import annotations

from functools import partial
from typing import Any

from lvs_agent.settings.scalars import Secret
from tests.checks import servers
from tests.checks.cases import Case, at_server, at_unused_port
from tests.checks.datagram_servers import at_datagrams, at_flood, at_refusing_port, garbage, silent
from tests.checks.dns_servers import of_another_id, reply
from tests.checks.radius_servers import SECRET, accepting, rejecting
from tests.checks.sip_servers import healthy

HOSTILE_TO_TCP = {
    "silent": servers.silent,
    "dripping": servers.dripping,
    "flooding": servers.flooding,
    "flooding garbage": servers.flooding_garbage,
    "resetting": servers.resetting,
    "garbage": servers.garbage,
    "closing early": servers.closing_early,
}
UNVERIFIED: dict[str, Any] = {"transport": "tls", "tls": {"verify": False}}
LOGIN: dict[str, Any] = {"user": "nemo", "password": Secret("arctangent"), "secret": Secret(SECRET.decode())}
NAME: dict[str, Any] = {"query": "www.example.com"}
NAME_OVER_TCP: dict[str, Any] = {"transport": "tcp", **NAME}

CASES = {
    "dns": Case(
        healthy=partial(at_datagrams, kind="dns", answers=lambda query: [reply(query)], **NAME),
        hostile={
            "refused": partial(at_refusing_port, kind="dns", **NAME),
            "refused over TCP": partial(at_unused_port, kind="dns", **NAME_OVER_TCP),
            "silent": partial(at_datagrams, kind="dns", answers=silent, **NAME),
            "garbage": partial(at_datagrams, kind="dns", answers=garbage, **NAME),
            "flooding": partial(at_flood, kind="dns", datagram=b"\x00" * 1_000, **NAME),
            "guessing": partial(at_datagrams, kind="dns", answers=lambda query: [of_another_id(query)] * 9, **NAME),
        }
        | {
            f"{name} over TCP": partial(at_server, kind="dns", handler=it, **NAME_OVER_TCP)
            for name, it in HOSTILE_TO_TCP.items()
        },
        hanging=partial(at_datagrams, kind="dns", answers=silent, **NAME),
    ),
    "radius": Case(
        healthy=partial(at_datagrams, kind="radius", answers=accepting, **LOGIN),
        hostile={
            "refused": partial(at_refusing_port, kind="radius", **LOGIN),
            "rejecting": partial(at_datagrams, kind="radius", answers=rejecting, **LOGIN),
            "silent": partial(at_datagrams, kind="radius", answers=silent, **LOGIN),
            "garbage": partial(at_datagrams, kind="radius", answers=garbage, **LOGIN),
            "flooding": partial(at_flood, kind="radius", datagram=b"\x02\x00\x10\x00" + bytes(4_092), **LOGIN),
        },
        hanging=partial(at_datagrams, kind="radius", answers=silent, **LOGIN),
    ),
    "sip": Case(
        healthy=partial(at_datagrams, kind="sip", answers=healthy),
        hostile={
            "refused": partial(at_refusing_port, kind="sip"),
            "refused over TCP": partial(at_unused_port, kind="sip", transport="tcp"),
            "silent": partial(at_datagrams, kind="sip", answers=silent),
            "garbage": partial(at_datagrams, kind="sip", answers=garbage),
            "flooding": partial(at_flood, kind="sip", datagram=b"SIP/2.0 200 OK\r\n" + b"v:x\r\n" * 200),
        }
        | {
            f"{name} over TCP": partial(at_server, kind="sip", handler=it, transport="tcp")
            for name, it in HOSTILE_TO_TCP.items()
        }
        | {
            f"{name} over TLS": partial(at_server, kind="sip", handler=it, encrypted=True, **UNVERIFIED)
            for name, it in HOSTILE_TO_TCP.items()
        },
        hanging=partial(at_server, kind="sip", handler=servers.silent, transport="tcp"),
    ),
    "udp": Case(
        healthy=partial(at_datagrams, kind="udp", answers=lambda question: [question]),
        hostile={
            "refused": partial(at_refusing_port, kind="udp"),
            "refused without a reply": partial(at_refusing_port, kind="udp", reply="optional"),
            "silent": partial(at_datagrams, kind="udp", answers=silent),
            "garbage": partial(at_datagrams, kind="udp", answers=garbage, expect="ready"),
            "flooding": partial(at_flood, kind="udp", datagram=b"\x00" * 1_000, expect="ready"),
        },
        hanging=partial(at_datagrams, kind="udp", answers=silent),
    ),
}
