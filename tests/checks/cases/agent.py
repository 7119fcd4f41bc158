"""The checker that asks the server's own agent."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.checks import servers
from tests.checks.cases import Case, at_server, at_unused_port

HOSTILE = {
    "silent": servers.silent,
    "dripping": servers.dripping,
    "flooding garbage": servers.flooding_garbage,
    "resetting": servers.resetting,
    "garbage": servers.garbage,
    "closing early": servers.closing_early,
}


async def well(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An agent whose server is well."""
    writer.write(b"75% up\n")
    await writer.drain()


CASES = {
    "agent": Case(
        healthy=partial(at_server, kind="agent", handler=well),
        hostile={"refused": partial(at_unused_port, kind="agent")}
        | {name: partial(at_server, kind="agent", handler=handler) for name, handler in HOSTILE.items()},
        hanging=partial(at_server, kind="agent", handler=servers.silent),
    )
}
