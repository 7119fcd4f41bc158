"""The checker that holds a connection open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from lvs_agent.model.check import CheckSpec
from tests.checks import servers
from tests.checks.cases import TIMEOUT_S, Case, at_server, at_unused_port
from tests.checks.conftest import Certificates
from tests.checks.servers import spec


@asynccontextmanager
async def with_full_backlog(_: Certificates) -> AsyncIterator[CheckSpec]:
    """A check of a port at which no connection is accepted any more."""
    with servers.full_listener() as port:
        yield spec("idle", timeout_s=TIMEOUT_S, port=port)


CASES = {
    "idle": Case(
        healthy=partial(at_server, kind="idle", handler=servers.silent),
        hostile={"refused": partial(at_unused_port, kind="idle"), "not accepting": with_full_backlog},
        hanging=with_full_backlog,
    )
}
