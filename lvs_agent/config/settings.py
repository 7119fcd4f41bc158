"""What the rest of the program gets: the configuration, complete and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lvs_agent.config.values import ListenAddress, OnStop
from lvs_agent.errors import Problem
from lvs_agent.log import LogFormat, LogLevel
from lvs_agent.model.intent import Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The program itself.  ``state_dir`` is absolute if the configuration file's directory is."""

    listen: ListenAddress
    state_dir: Path
    reconcile_interval_s: float
    compare_interval_s: float
    on_stop: OnStop
    command_concurrency: int
    log_format: LogFormat
    log_level: LogLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One configuration.

    ``digest`` (64 hexadecimal digits) is equal for configurations that mean the same, whatever their files look like.
    ``warnings`` do not stand in the way of anything.
    """

    intent: Intent
    agent: AgentSettings
    digest: str
    warnings: tuple[Problem, ...] = ()
