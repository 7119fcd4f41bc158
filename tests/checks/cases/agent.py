"""The checkers that take somebody's word: the server's own agent, or a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from tempfile import NamedTemporaryFile

from lvs_agent.model.check import CheckSpec
from tests.checks import servers
from tests.checks.cases import TIMEOUT_S, Case, at_server, at_unused_port
from tests.checks.conftest import Certificates
from tests.checks.servers import spec

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


@asynccontextmanager
async def with_file(_: Certificates, *, content: str) -> AsyncIterator[CheckSpec]:
    """A check of a file with that content."""
    with NamedTemporaryFile("w") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)  # a check worker is another user
        yield spec("file", timeout_s=TIMEOUT_S, path=file.name)


CASES = {
    "file": Case(
        healthy=partial(with_file, content="up"),
        hostile={"down": partial(with_file, content="down"), "garbage": partial(with_file, content="\x00" * 99_999)},
    ),
    "agent": Case(
        healthy=partial(at_server, kind="agent", handler=well),
        hostile={"refused": partial(at_unused_port, kind="agent")}
        | {name: partial(at_server, kind="agent", handler=handler) for name, handler in HOSTILE.items()},
        hanging=partial(at_server, kind="agent", handler=servers.silent),
    ),
}
