"""The base of the settings of every kind of check."""

from __future__ import annotations

from typing import ClassVar

from lvs_agent.settings.strict import Strict

IDNA_CODEC = "encodings.idna"
"""A library: the codec that the interpreter imports when it first gets a host name, or an address as a text."""


class CheckSettings(Strict):
    """Base of every checker's ``Settings``: each field is a key of the check's TOML table.

    ``default_port``: the port to check where neither the check nor the real server has one (None: there must be one).
    ``uses_port``: False where the checker has no ports at all (ping, none).
    ``gives_weight``: True where a probe that passes may ask for a share of the server's weight.
    ``wants_identity``: True where a probe must know on behalf of which service and server it runs.
    ``libraries``: modules that its probes import, besides what TLS needs; ``libraries.load`` does it before they run.
    ``extra_library``: the module that the extra of the same name installs; None where there is no such extra.
    """

    default_port: ClassVar[int | None] = None
    uses_port: ClassVar[bool] = True
    gives_weight: ClassVar[bool] = False
    wants_identity: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    extra_library: ClassVar[str | None] = None

    @property
    def usual_port(self) -> int | None:
        """``default_port``, unless another key implies another one."""
        return self.default_port

    @property
    def uses_tls(self) -> bool:
        """Whether probes use TLS: by default, whether there is a tls table."""
        return getattr(self, "tls", None) is not None
