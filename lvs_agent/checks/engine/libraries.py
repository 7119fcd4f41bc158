"""The libraries that probes import late: client libraries, which only agents with such checks need.

Importing one takes some hundredths of a second, and would block the loop with all its checks.  So a thread imports them
before the checks are put in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module

from lvs_agent.checks.kinds import checkers
from lvs_agent.model.check import CheckSpec
from lvs_agent.settings.check import IDNA_CODEC, CheckSettings

TLS = ("cryptography.x509", IDNA_CODEC)
"""Needed to read servers' certificates, and to encode their names."""


def libraries(settings: CheckSettings) -> frozenset[str]:
    """The modules that the probes of a check with these settings import."""
    return frozenset(settings.libraries + TLS if settings.uses_tls else settings.libraries)


def load_kinds(kinds: Iterable[str], *, tls: bool) -> None:
    """Import the modules of these kinds of checks and what their probes import; ``tls``: some of them use TLS.

    Names that are no kind are left out.
    """
    names = set(TLS if tls else ())
    for kind in kinds:
        with suppress(Exception):
            names.update(checkers()[kind].settings.libraries)
    _import(names)


def load(specs: Iterable[CheckSpec]) -> None:
    """Import all modules that the probes of ``specs`` need.  Call it in a thread.

    If an import fails, the result of the probe has the reason.
    """
    different = {id(spec.target.settings): spec.target.settings for spec in specs}.values()
    _import(set().union(*map(libraries, different)))


def _import(names: Iterable[str]) -> None:
    for name in sorted(names):
        with suppress(Exception):
            import_module(name)
