"""Reads an ldirectord.cf into the tables that a TOML file would give."""

from __future__ import annotations

from lvs_agent.config.ldirectord.document import AlertSettings, Reading

__all__ = ["AlertSettings", "Reading"]
