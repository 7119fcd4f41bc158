"""What checkers do by way of a client library: one module each, imported when the first check of its kind runs.

Looking for checkers imports every module beside them, so these have a package of their own.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module

from lvs_agent.checks.shared import shared
from lvs_agent.checks.threads import Threads
from lvs_agent.model.check import Errored, ErrorReason, Progress

_loaded: set[str] = set()


async def load(name: str, progress: Progress) -> Errored | None:
    """Import a module of this package in a thread, because its library is large; what to say where it is missing.

    The module is named like the extra that brings its library.
    """
    if name in _loaded:
        return None
    try:
        await shared(Threads).run(partial(import_module, f"{__name__}.{name}"), cancel=_cannot, progress=progress)
    except ImportError as problem:
        return Errored(ErrorReason.FILE_MISSING, f"install lvs-agent[{name}]: {problem}")
    _loaded.add(name)
    return None


def _cannot() -> None:
    """An import takes a moment, and nothing ends it earlier."""
