"""What probes import late: client libraries and what goes with them, which only agents with such checks need.

Importing one takes some hundredths of a second, in which a loop would stand still with all its checks.  So whoever puts
checks in force has this done before, and beside the loop; a probe finds it there.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module

from lvs_agent.model.check import CheckSpec
from lvs_agent.settings.check import IDNA_CODEC, CheckSettings

TLS = ("cryptography.x509", IDNA_CODEC)
"""What reads the certificates of servers, and what takes their names."""


def libraries(settings: CheckSettings) -> frozenset[str]:
    """The modules that the probes of a check with these settings import."""
    return frozenset(settings.libraries + TLS if settings.uses_tls else settings.libraries)


def load(specs: Iterable[CheckSpec]) -> None:
    """Import all that the probes of ``specs`` will.  To be called beside the loop.

    What cannot be imported is left to the probe, which tells why.
    """
    different = {id(spec.target.settings): spec.target.settings for spec in specs}.values()
    for name in sorted(set().union(*map(libraries, different))):
        with suppress(Exception):
            import_module(name)
