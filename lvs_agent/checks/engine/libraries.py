"""The libraries that probes import late: client libraries and their parts, which only agents with such checks need.

Importing one takes some hundredths of a second, during which the loop would stop with all its checks.  So they are
imported before the checks are put in force, and in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module

from lvs_agent.model.check import CheckSpec
from lvs_agent.settings.check import IDNA_CODEC, CheckSettings

TLS = ("cryptography.x509", IDNA_CODEC)
"""Needed to read servers' certificates, and to encode their names."""


def libraries(settings: CheckSettings) -> frozenset[str]:
    """The modules that the probes of a check with these settings import."""
    return frozenset(settings.libraries + TLS if settings.uses_tls else settings.libraries)


def load(specs: Iterable[CheckSpec]) -> None:
    """Import all that the probes of ``specs`` will.  To be called in a thread.

    What cannot be imported is left to the probe, whose result says why.
    """
    different = {id(spec.target.settings): spec.target.settings for spec in specs}.values()
    for name in sorted(set().union(*map(libraries, different))):
        with suppress(Exception):
            import_module(name)
