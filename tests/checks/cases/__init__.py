"""How each checker is tried by the contract test: one module of this package for each family of checkers.

A module has ``CASES``: the kind, and how to try it.  It is found by looking.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lvs_agent.model.check import CheckSpec
from tests.checks import servers
from tests.checks.conftest import Certificates
from tests.checks.servers import serving, spec

TIMEOUT_S = 0.3
TOLERANCE_S = 0.05
"""How much later than its deadline a result may come: two slots, and a scheduler that shares its machine."""

Setting = Callable[[Certificates], AbstractAsyncContextManager[CheckSpec]]
"""Starts what is to be checked and gives the check of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How to try one checker: ``hanging`` is a setting in which a probe goes on until it is cancelled.

    ``healthy`` None: no server is to be had that would let a check pass.
    """

    healthy: Setting | None
    hostile: Mapping[str, Setting] = field(default_factory=dict)
    hanging: Setting | None = None

    @property
    def lasting(self) -> Setting:
        """Where a probe takes as long as it may."""
        setting = self.hanging or self.healthy
        assert setting is not None
        return setting


@asynccontextmanager
async def at_server(
    certificates: Certificates, *, kind: str, handler: servers.Handler, encrypted: bool = False, **settings: Any
) -> AsyncIterator[CheckSpec]:
    """A server, and the check of it."""
    async with serving(handler, tls=certificates.good.server_context() if encrypted else None) as port:
        yield spec(kind, port=port, timeout_s=TIMEOUT_S, **settings)


@asynccontextmanager
async def without_server(_: Certificates, *, kind: str, **settings: Any) -> AsyncIterator[CheckSpec]:
    """A check that needs no server of ours."""
    yield spec(kind, timeout_s=TIMEOUT_S, **settings)


@asynccontextmanager
async def at_unused_port(_: Certificates, *, kind: str, **settings: Any) -> AsyncIterator[CheckSpec]:
    """A check of a port that refuses."""
    yield spec(kind, timeout_s=TIMEOUT_S, port=servers.unused_port(), **settings)


@cache
def all_cases() -> Mapping[str, Case]:
    """Every case by the kind of its checker."""
    found: dict[str, Case] = {}
    for module_info in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{module_info.name}").CASES
    return found
