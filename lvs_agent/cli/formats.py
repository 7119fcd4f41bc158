"""The formats of configuration files that the commands read."""

from __future__ import annotations

from lvs_agent.cli.ldirectord import LDIRECTORD_CF  # annex
from lvs_agent.config import TOML, Formats

FORMATS = Formats(
    TOML,
    LDIRECTORD_CF,  # annex
)
