"""The kinds of checks: one module or package each, found by looking.  A checker is a module of this package with

- ``Settings``: a frozen subclass of ``CheckSettings``; its fields are the keys of the check's TOML table;
- ``async def probe(target: Target, run: ProbeRun) -> CheckResult``: one run.  ``target`` is data and never changes;
  ``run`` has everything else that a probe needs.

A module may say ``INLINE = True``: its probe awaits nothing but a poller's sockets, so the engine can drive it by hand,
without the price of an asyncio task.  One that also says ``CONSTANT = True`` depends on nothing but its target: it
runs until its result is believed, and then never again.  A module whose probe runs a program has
``command_of(target: Target) -> Command``, by which the agent starts it, because the process with the probes may not.

Its module's name is its ``type`` in the configuration.  Nothing else has to be changed.  A checker that needs more than
one module is a package; what several checkers share is in modules whose names begin with an underscore.

The engine owns interval, deadline and cancellation; a probe that is cancelled releases what it holds and lets the
cancellation through.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lvs_agent.model.check import CheckResult, Target
from lvs_agent.settings.check import CheckSettings

if TYPE_CHECKING:  # looking for kinds needs none of what their probes are given
    from lvs_agent.checks.net.probe_run import ProbeRun
    from lvs_agent.commands.command import Command

Probe: TypeAlias = "Callable[[Target, ProbeRun], Awaitable[CheckResult]]"


@dataclass(frozen=True, slots=True)
class Checker:
    """One kind of check."""

    kind: str
    settings: type[CheckSettings]
    probe: Probe
    summary: str
    inline: bool = False
    constant: bool = False
    command_of: Callable[[Target], Command] | None = None

    @property
    def is_usable(self) -> bool:
        """Whether the library of its extra is installed, as far as this shows without importing it."""
        library = self.settings.extra_library
        return library is None or importlib.util.find_spec(library) is not None


class _Checkers(Mapping[str, Checker]):
    """Every checker by its kind, in alphabetical order.  Asking for one imports that one alone: a start must not wait
    for the libraries of checks that are not configured.
    """

    def __init__(self) -> None:
        self._found: dict[str, Checker | None] = {}

    def __getitem__(self, kind: str) -> Checker:
        if kind not in self._found:
            self._found[kind] = _checker(kind)
        checker = self._found[kind]
        if checker is None:
            raise KeyError(kind)
        return checker

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


_CHECKERS = _Checkers()


def checkers() -> Mapping[str, Checker]:
    """Every checker by its kind, in alphabetical order."""
    return _CHECKERS


def _checker(kind: str) -> Checker | None:
    """The checker in the module of that name; None where there is none."""
    name = f"{__name__}.{kind}"
    if not kind.isidentifier() or kind.startswith("_") or importlib.util.find_spec(name) is None:
        return None
    module = importlib.import_module(name)
    summary = (module.__doc__ or "").partition("\n")[0]
    return Checker(
        kind,
        module.Settings,
        module.probe,
        summary,
        inline=getattr(module, "INLINE", False),
        constant=getattr(module, "CONSTANT", False),
        command_of=getattr(module, "command_of", None),
    )
