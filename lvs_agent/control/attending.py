"""What is done for real servers and services beside checks and rounds: maintenance, sorry commands, monitor files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from lvs_agent.clock import Clock
from lvs_agent.config import AgentSettings
from lvs_agent.control.journal import Journal
from lvs_agent.control.maintenance import Maintenance
from lvs_agent.control.monitor_files import MonitorFiles
from lvs_agent.control.sorry_commands import SorryCommands
from lvs_agent.control.state import AgentState
from lvs_agent.core.maintenance import checked_servers
from lvs_agent.core.pool import Pool, in_distress
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.log import get_logger
from lvs_agent.model.check import CheckId, CheckReport
from lvs_agent.model.event import EventKind
from lvs_agent.model.ipvs import ServiceKey

log = get_logger()

FINISH_S = 5.0
"""How long sorry commands may take altogether when the agent stops."""
CLOSE_S = 1.0
"""How long the last lines of monitor files may take then."""


class Attending:
    """Follows the configuration in ``state``; every method is called on the loop.

    ``wake(services)`` tells the reconcile loop whose pools may have changed, ``remember`` that what outlives the
    process has.
    """

    def __init__(
        self,
        *,
        state: AgentState,
        journal: Journal,
        settings: AgentSettings,
        clock: Clock,
        wake: Callable[[frozenset[ServiceKey]], None],
        remember: Callable[[], None],
    ) -> None:
        self._state = state
        self._journal = journal
        self._told_before = state.maintained_before
        self._wake = wake
        self._maintenance = Maintenance(changed=self._maintain, clock=clock)
        self._commands = SorryCommands(
            clock=clock,
            journal=journal,
            started=state.sorry_started(),
            remember=remember,
            user=settings.command_user,
        )
        self._files = MonitorFiles()
        self._monitored: frozenset[CheckId] = frozenset()
        state.sorry_started = lambda: self._commands.started
        state.sorry_calls = lambda: self._commands.counts
        self.adopt(settings)

    def adopt(self, settings: AgentSettings) -> None:
        """Take over a configuration that ``state`` has adopted."""
        intent = self._state.intent
        self._maintenance.adopt(directory=settings.maintenance_dir, servers=checked_servers(intent))
        monitored = [service for service in intent.services if service.monitor_file is not None]
        self._monitored = frozenset(
            check for service in monitored for server in service.real_servers for check in server.all_checks
        )

    async def first(self) -> None:
        """What must be known before the first round."""
        await self._maintenance.first()
        for key in sorted(self._told_before - self._state.maintained, key=str):
            self._record(EventKind.MAINTENANCE_ENDED, key)
        self._told_before = frozenset()

    async def run(self) -> None:
        """Follow the maintenance directory and write monitor files until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._maintenance.run(), name="maintenance")
            group.create_task(self._files.run(), name="monitor files")

    def take(self, reports: Sequence[CheckReport]) -> None:
        """Write what ``reports`` say into the monitor files of the services that have one."""
        for report in reports:
            if report.check in self._monitored:
                self._files.take(
                    report,
                    self._state.intent.checks[report.check],
                    users=self._state.users[report.check],
                    in_maintenance=self._state.maintained,
                )

    def decided(self, pools: Mapping[ServiceKey, Pool]) -> None:
        """Tell sorry commands what a round has decided."""
        if not self._state.writes:
            return
        wanted = {service.service.key: service for service in self._state.intent.services if service.sorry_command}
        self._commands.retain(wanted.keys())
        for key, service in wanted.items():
            distress = in_distress(service, pools[key]) if key in pools else None
            if distress is not None and service.sorry_command is not None:
                self._commands.want(key, name=service.name, command=service.sorry_command, active=distress)

    async def finish(self, removed: frozenset[ServiceKey]) -> None:
        """Take everything down; the sorry commands of services that have left the table are told to stop."""
        await self._commands.finish(removed, timeout_s=FINISH_S)
        await self._files.close(timeout_s=CLOSE_S)
        self._maintenance.close()

    def _maintain(self, servers: frozenset[ServerKey]) -> None:
        before, self._state.maintained = self._state.maintained, servers
        for key in sorted(servers ^ before, key=str):
            kind = EventKind.MAINTENANCE_BEGUN if key in servers else EventKind.MAINTENANCE_ENDED
            log.info(kind.value, virtual_service=self._state.names.get(key[0], key[0]), real_server=key[1])
            if key not in self._told_before:
                self._record(kind, key)
        self._wake(frozenset(service for service, _ in servers ^ before))

    def _record(self, kind: EventKind, key: ServerKey) -> None:
        service, server = key
        name = self._state.names.get(service) or str(service)
        self._journal.record(kind, virtual_service=name, real_server=str(server))
