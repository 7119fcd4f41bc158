"""What the rest of the program gets: the configuration, complete and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lvs_agent.config.values import ListenAddress
from lvs_agent.errors import Problem
from lvs_agent.log import LogFormat, LogLevel
from lvs_agent.model.intent import Intent, OnStop


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The program itself.  ``state_dir`` and ``maintenance_dir`` are absolute if the configuration file's directory
    is.  ``command_user`` None: nobody where the program is root, else the user that it is.
    """

    listen: ListenAddress
    state_dir: Path
    reconcile_interval_s: float
    compare_interval_s: float
    on_stop: OnStop
    command_concurrency: int
    thread_concurrency: int
    command_user: str | None
    maintenance_dir: Path | None
    reload_on_change: bool
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
