"""What the rest of the program gets: the configuration, complete and checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lvs_agent.config.values import ListenAddress
from lvs_agent.errors import Problem
from lvs_agent.log import LogFormat, LogLevel
from lvs_agent.model.intent import Intent, OnStop


class ServerDetail(Enum):
    """Which metrics there are of each real server."""

    FULL = "full"
    """All of them."""
    STATE = "state"
    """Those that say whether it is in service: no counters, no connections, no times of checks."""
    OFF = "off"
    """None; those of the services remain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """What /metrics shows.  ``drop`` holds names of metrics that are left out."""

    real_servers: ServerDetail = ServerDetail.FULL
    drop: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The program itself.  Its paths are absolute if the configuration file's directory is.

    ``command_user`` None: nobody where the program is root, else the user that it is.
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
    metrics: MetricsSettings = MetricsSettings()
    web_config_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One configuration.

    ``digest`` (64 hexadecimal digits) is equal for configurations that mean the same, whatever their files look like.
    ``common_digest`` leaves out what each director has of its own: where it listens, its directories, its log.
    ``warnings`` do not stand in the way of anything.
    """

    intent: Intent
    agent: AgentSettings
    digest: str
    common_digest: str
    warnings: tuple[Problem, ...] = ()
