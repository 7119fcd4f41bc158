"""What the rest of the program gets: the configuration, complete and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from lvs_agent.config.schema.values import ListenAddress, ServerDetail
from lvs_agent.errors import Problem
from lvs_agent.log import LogFormat, LogLevel
from lvs_agent.model.intent import Intent, OnStop


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """What /metrics shows.  ``drop`` holds names of metrics that are left out."""

    real_servers: ServerDetail = ServerDetail.FULL
    drop: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The program itself.  Its paths are absolute if the configuration file's directory is.

    ``workers`` None: by the rate of the checks.  ``command_user`` None: as ``workers.users`` says.
    """

    listen: ListenAddress
    state_dir: Path
    reconcile_interval_s: float
    compare_interval_s: float
    on_stop: OnStop
    command_concurrency: int
    thread_concurrency: int
    workers: int | None
    command_user: str | None
    maintenance_dir: Path | None
    reload_on_change: bool
    log_format: LogFormat
    log_level: LogLevel
    metrics: MetricsSettings = MetricsSettings()
    web_config_file: Path | None = None
    web_connections: int = 512
    web_connections_per_client: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One configuration.

    ``digest`` (64 hexadecimal digits) is equal for configurations that mean the same, whatever their files look like.
    ``common_digest`` leaves out what each director has of its own: where it listens, its directories, its log.
    ``restart_only``: the keys that take effect only at a start, as ``"agent.listen"``, with their values.
    ``warnings`` are problems that prevent nothing.
    """

    intent: Intent
    agent: AgentSettings
    digest: str
    common_digest: str
    restart_only: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[Problem, ...] = ()

    def restart_only_changes(self, new: Config) -> list[str]:
        """The keys with another value in ``new`` that take effect only at a start."""
        return [key for key, value in new.restart_only.items() if self.restart_only.get(key) != value]
