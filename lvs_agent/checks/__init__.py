"""Checkers: one module each, found by looking.  A checker is a module of this package with

- ``Settings``: a frozen subclass of ``CheckSettings``; its fields are the keys of the check's TOML table;
- ``async def probe(target: Target) -> CheckResult``: one run.

A module may say ``LEAN = True``: its probe awaits nothing but a poller's sockets, so the engine can drive it by hand,
without the price of an asyncio task.

Its module name is its ``type`` in the configuration.  Nothing else has to be touched.  The engine owns interval,
deadline and cancellation; a probe that is cancelled gives back what it holds and lets the cancellation through.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from lvs_agent.checks.settings import CheckSettings
from lvs_agent.model.check import CheckResult, Target

Probe = Callable[[Target], Awaitable[CheckResult]]


@dataclass(frozen=True, slots=True)
class Checker:
    """One kind of check."""

    kind: str
    settings: type[CheckSettings]
    probe: Probe
    summary: str
    lean: bool = False


@cache
def checkers() -> Mapping[str, Checker]:
    """Every checker by its kind, in alphabetical order."""
    found: dict[str, Checker] = {}
    for module_info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        settings, probe = getattr(module, "Settings", None), getattr(module, "probe", None)
        if settings is not None and probe is not None:
            summary = (module.__doc__ or "").partition("\n")[0]
            found[module_info.name] = Checker(
                module_info.name, settings, probe, summary, lean=getattr(module, "LEAN", False)
            )
    return MappingProxyType(found)
