"""Work for real servers and services beside checks and rounds: maintenance, sorry commands, monitor files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lvs_agent.clock import Clock
from lvs_agent.commands.command_runner import StartRunner, start_runner
from lvs_agent.config import AgentSettings
from lvs_agent.control.maintenance import Maintenance
from lvs_agent.control.monitor_files import MonitorFiles, MonitorLine
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.sorry_commands import SorryCommands
from lvs_agent.control.state import AgentState
from lvs_agent.core.maintenance import checked_servers
from lvs_agent.core.pool import Pool, has_no_serving_server
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.model.check import CheckId, CheckReport
from lvs_agent.model.event import EventKind
from lvs_agent.model.intent import Intent
from lvs_agent.model.ipvs import ServiceKey

FINISH_S = 5.0
"""Seconds that all sorry commands together may take when the agent stops."""
CLOSE_S = 1.0
"""Seconds that writing the last lines of monitor files may take when the agent stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookedConfig:
    """A configuration that is ready to be put in force.

    ``servers``: the servers that may be in maintenance, with the ports of their checks.  ``monitored``: the checks
    whose results go into monitor files.
    """

    maintenance_dir: Path | None
    servers: Mapping[ServerKey, Collection[int]]
    monitored: frozenset[CheckId]


def prepare(intent: Intent, settings: AgentSettings) -> HookedConfig:
    """What the hooks need from a configuration.  It changes nothing, so it may raise anything."""
    return HookedConfig(
        maintenance_dir=settings.maintenance_dir,
        servers=checked_servers(intent),
        monitored=frozenset(
            check
            for service in intent.services
            if service.monitor_file is not None
            for server in service.real_servers
            for check in server.all_checks
        ),
    )


class OperatorHooks:
    """Follows the configuration in ``state``; every method is called on the loop.

    ``wake(services)`` requests a round for services if their pools may have changed.  ``remember`` is called when the
    memory has changed.  ``monitor_line`` makes the lines of monitor files; None writes no lines.  ``start_runner``
    starts the runner of sorry commands; ``command_user``: their user, unless the configuration names one.
    ``in_force``: the configuration that was adopted last.
    """

    def __init__(
        self,
        *,
        state: AgentState,
        reporter: Reporter,
        settings: AgentSettings,
        maintained_before: frozenset[ServerKey],
        clock: Clock,
        wake: Callable[[frozenset[ServiceKey]], None],
        remember: Callable[[], None],
        monitor_line: MonitorLine | None = None,
        start_runner: StartRunner = start_runner,
        command_user: str | None = None,
    ) -> None:
        self._state = state
        self._reporter = reporter
        self._reported_before = maintained_before
        self._remember = remember
        self._wake = wake
        self._maintenance = Maintenance(changed=self._maintain, clock=clock)
        self._commands = SorryCommands(
            clock=clock,
            reporter=reporter,
            started=state.sorry_started,
            changed=self._sorry_commands_called,
            user=settings.command_user or command_user,
            start_runner=start_runner,
        )
        self._files = MonitorFiles(monitor_line)
        self._monitored: frozenset[CheckId] = frozenset()
        self.adopt(prepare(state.intent, settings))

    def adopt(self, configuration: HookedConfig) -> None:
        """Put in force what ``prepare`` has returned for a configuration; this cannot fail."""
        self.in_force = configuration
        self._maintenance.adopt(directory=configuration.maintenance_dir, servers=configuration.servers)
        self._monitored = configuration.monitored

    @property
    def monitor_lines_dropped(self) -> int:
        """Lines of monitor files that were lost because too many waited."""
        return self._files.dropped

    async def first(self) -> None:
        """Read what must be known before the first round."""
        await self._maintenance.first()
        for key in sorted(self._reported_before - self._state.maintained, key=str):
            service, server = self._names(key)
            self._reporter.report(EventKind.MAINTENANCE_ENDED, virtual_service=service, real_server=server)
        self._reported_before = frozenset()

    async def run(self) -> None:
        """Follow the maintenance directory and write monitor files until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._maintenance.run(), name="maintenance")
            group.create_task(self._files.run(), name="monitor files")

    def take(self, reports: Sequence[CheckReport]) -> None:
        """Write ``reports`` to the monitor files of the services that have one."""
        for report in reports:
            if report.check in self._monitored:
                self._files.take(
                    report,
                    self._state.intent.checks[report.check],
                    users=self._state.users_of(report.check),
                    in_maintenance=self._state.maintained,
                )

    def decided(self, pools: Mapping[ServiceKey, Pool]) -> None:
        """Pass the decision of a round on to the sorry commands."""
        if not self._state.writes:
            return
        wanted = {service.service.key: service for service in self._state.intent.services if service.sorry_command}
        self._commands.retain(wanted.keys())
        for key, service in wanted.items():
            distress = has_no_serving_server(service, pools[key]) if key in pools else None
            if distress is not None and service.sorry_command is not None:
                self._commands.want(key, name=service.name, command=service.sorry_command, active=distress)

    async def finish(self, removed: frozenset[ServiceKey]) -> None:
        """Stop everything; the sorry commands of the ``removed`` services are called with ``stop``."""
        await self._commands.finish(removed, timeout_s=FINISH_S)
        await self._files.close(timeout_s=CLOSE_S)
        self._maintenance.close()

    def _maintain(self, servers: frozenset[ServerKey]) -> None:
        changed = servers ^ self._state.maintained
        self._state.maintenance_changed(servers)
        for key in sorted(changed, key=str):
            service, server = self._names(key)
            self._reporter.report(
                EventKind.MAINTENANCE_STARTED if key in servers else EventKind.MAINTENANCE_ENDED,
                virtual_service=service,
                real_server=server,
                news=key not in self._reported_before,
            )
        self._wake(frozenset(service for service, _ in changed))

    def _names(self, key: ServerKey) -> tuple[str, str]:
        service, server = key
        return self._state.name_of(service), str(server)

    def _sorry_commands_called(self) -> None:
        is_new = self._commands.started != self._state.sorry_started
        self._state.sorry_commands_called(started=self._commands.started, calls=self._commands.counts)
        if is_new:
            self._remember()
