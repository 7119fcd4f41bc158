"""From the tables of a configuration to the program's ``Config``, or to everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lvs_agent.checks.kinds import checkers
from lvs_agent.config.check_sets import Checkers
from lvs_agent.config.draft import Draft, read_draft
from lvs_agent.config.findings import ProblemFormatter, Report, by_path
from lvs_agent.config.meaning import fingerprint
from lvs_agent.config.resolve.intent import resolve
from lvs_agent.config.schema.keys import Mark, known_keys, marked
from lvs_agent.config.secrets import SecretSource
from lvs_agent.config.settings import AgentSettings, Config, MetricsSettings
from lvs_agent.errors import ConfigError
from lvs_agent.model.intent import Intent, VirtualService
from lvs_agent.settings.strict import Strict


def config_from_tables(
    tables: Mapping[str, Any],
    *,
    source: SecretSource,
    kinds: Checkers | None = None,
    formatter: ProblemFormatter = by_path,
) -> Config:
    """The configuration in ``tables``, which are laid out like the TOML file; every format is first made into them.

    ``kinds``: the available checkers, by default all that are installed.  ``formatter``: how findings are reported.

    Raises ConfigError with everything that is wrong.
    """
    report = Report()
    kinds = checkers() if kinds is None else kinds
    draft = read_draft(tables, checkers=kinds, source=source, report=report)
    intent = resolve(draft, report)
    errors = report.errors(tables, formatter=formatter)
    if errors:
        raise ConfigError(errors)
    agent = _agent(draft)
    services = _services(intent)
    return Config(
        intent=intent,
        agent=agent,
        digest=fingerprint([agent, services]),
        common_digest=fingerprint([_marked(draft, Mark.SHARED), services]),
        restart_only=_marked(draft, Mark.AT_START),
        warnings=report.warnings(tables, formatter=formatter),
    )


def _agent(draft: Draft) -> AgentSettings:
    return AgentSettings(
        listen=draft.agent.listen,
        state_dir=Path(draft.agent.state_dir),
        reconcile_interval_s=draft.agent.reconcile_interval,
        compare_interval_s=draft.agent.compare_interval,
        on_stop=draft.agent.on_stop,
        command_concurrency=draft.agent.command_concurrency,
        thread_concurrency=draft.agent.thread_concurrency,
        workers=None if draft.agent.workers == "auto" else draft.agent.workers,
        command_user=draft.agent.command_user,
        maintenance_dir=None if draft.agent.maintenance_dir is None else Path(draft.agent.maintenance_dir),
        reload_on_change=draft.agent.reload_on_change,
        log_format=draft.log.format,
        log_level=draft.log.level,
        metrics=MetricsSettings(real_servers=draft.metrics.real_servers, drop=draft.metrics.drop),
        web_config_file=None if draft.agent.web_config_file is None else Path(draft.agent.web_config_file),
        web_connections=draft.agent.web_connections,
        web_connections_per_client=draft.agent.web_connections_per_client,
    )


def _marked(draft: Draft, mark: Mark) -> dict[str, object]:
    """The keys of the program itself that bear ``mark``, as ``"agent.listen"``, each with what it says."""
    tables: dict[str, Strict] = {"agent": draft.agent, "metrics": draft.metrics, "log": draft.log}
    return {
        f"{name}.{key}": getattr(table, key)
        for name, table in tables.items()
        for key in known_keys(type(table))
        if key in marked(type(table), mark)
    }


def _services(intent: Intent) -> list[VirtualService]:
    """The order of services and servers means nothing; a check's id already says everything about it."""
    ordered = (
        replace(service, real_servers=tuple(sorted(service.real_servers, key=lambda server: server.name)))
        for service in intent.services
    )
    return sorted(ordered, key=lambda service: str(service.service.key))
