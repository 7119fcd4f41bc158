"""The composition root: builds the parts, runs the root tasks, and stops everything in order.

Root tasks never return.  If one fails, the daemon ends with an error, so that the service manager restarts it; the
table stays as it is.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lvs_agent import __version__, systemd
from lvs_agent.clock import Clock, SystemClock
from lvs_agent.commands.command_runner import CommandRunner
from lvs_agent.config import AgentSettings, Config
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.control.adopting import Adopting
from lvs_agent.control.checking import Checking
from lvs_agent.control.heart import Heart
from lvs_agent.control.journal import Journal
from lvs_agent.control.memory import Keeper, Memory, recall
from lvs_agent.control.monitor_files import MonitorLine
from lvs_agent.control.operator_hooks import OperatorHooks
from lvs_agent.control.reconciling import Periods, Reconciling
from lvs_agent.control.reloading import Reloading, first_status
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.round_requests import RoundRequests
from lvs_agent.control.state import AgentState
from lvs_agent.core.snapshot import ConfigStatus, EngineStatus, Snapshot
from lvs_agent.errors import IpvsError, ModuleMissing, NotPermitted
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.log import MessageCounts, get_logger
from lvs_agent.model.check import CheckReport
from lvs_agent.model.event import EventKind
from lvs_agent.model.intent import OnStop
from lvs_agent.model.ipvs import ServiceKey
from lvs_agent.root_tasks import run_until
from lvs_agent.web.admission import Admission
from lvs_agent.web.server import WebServer
from lvs_agent.web.sources import Sources
from lvs_agent.workers.processes import Starter
from lvs_agent.workers.supervisor import Supervisor

log = get_logger()

_TABLE_FIRST_S = 1.0
"""Most seconds that the web server waits for the first checks and the round after them."""
_TABLE_FIRST_STEPS = 50
_JOURNAL_WAITS_S = 5.0
"""Most seconds that reading the events of earlier processes waits for the agent to become ready."""
_JOURNAL_ENDS_S = 1.0
"""Most seconds for writing the last events when the agent stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings from the command line.

    ``open_backend`` opens a connection to the table: one for the writer, one for the readers.  ``load`` reads the
    configuration file again.  ``listener`` is bound to the address of /metrics.  ``observes``: the agent owns nothing
    in the table, even if an earlier run did, and ``writes`` is False.  ``monitor_line`` makes the lines of monitor
    files; None writes no lines.  ``starter`` starts the other processes; it is closed at the end.
    """

    path: Path
    config: Config
    load: Callable[[Path], Config]
    open_backend: Callable[[], IpvsBackend]
    listener: socket.socket
    writes: bool
    log_messages: MessageCounts
    starter: Starter
    observes: bool = False
    monitor_line: MonitorLine | None = None


class Daemon:
    """One run of the agent."""

    def __init__(self, options: Options, *, clock: Clock | None = None) -> None:
        agent = options.config.agent
        self._options = options
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._ready = asyncio.Event()
        self._keeps_all = False
        self._backend = options.open_backend()
        self._readers = options.open_backend()
        memory = Memory() if options.observes else recall(agent.state_dir)
        self.state = _first_state(options, memory=memory, clock=self._clock)
        self._journal = Journal(clock=self._clock, directory=agent.state_dir if options.writes else None)
        self._reporter = Reporter(self._journal)
        self._keeper = Keeper(directory=agent.state_dir, read=self.state.memory)
        remember: Callable[[], None] = self._keeper.keep if options.writes else lambda: None
        requests = RoundRequests()
        with unexpected_is_refused(options.path):
            self._hooks = OperatorHooks(
                state=self.state,
                reporter=self._reporter,
                settings=agent,
                maintained_before=memory.maintained,
                clock=self._clock,
                wake=requests.wake,
                remember=remember,
                monitor_line=options.monitor_line,
                start_runner=options.starter.start_runner,
                command_user=options.starter.users.commands,
            )
        self._reconciling = Reconciling(
            backend=self._backend,
            state=self.state,
            reporter=self._reporter,
            requests=requests,
            clock=self._clock,
            periods=Periods.of(agent),
            remember=remember,
            decided=self._hooks.decided,
        )
        self._checking = Checking(state=self.state, reporter=self._reporter, wake=requests.wake)
        self._workers = self._supervisor(agent)
        self._adopting = Adopting(
            options.config,
            state=self.state,
            hooks=self._hooks,
            reconciling=self._reconciling,
            requests=requests,
            configure=self._workers.configure,
        )
        self._reloading = self._reloader()
        self._heart = Heart(
            clock=self._clock,
            makes_progress=self._reconciling.makes_progress,
            feed=partial(systemd.notify, "WATCHDOG=1"),
            watchdog_s=systemd.watchdog_interval(),
        )
        self.web = self._web_server()

    def _supervisor(self, agent: AgentSettings) -> Supervisor:
        starter = self._options.starter
        return Supervisor(
            clock=self._clock,
            report=self._take,
            starter=starter,
            commands=CommandRunner(
                concurrency=agent.command_concurrency,
                user=agent.command_user or starter.users.commands,
                start=starter.start_runner,
            ),
            thread_concurrency=agent.thread_concurrency,
            lost=self._checking.worker_lost,
            count=agent.workers,
        )

    def _reloader(self) -> Reloading:
        return Reloading(
            path=self._options.path,
            load=self._load,
            adopt=self._adopt,
            state=self.state,
            reporter=self._reporter,
            clock=self._clock,
            watches=self._options.config.agent.reload_on_change,
        )

    def _web_server(self) -> WebServer:
        sources = Sources(
            snapshot=self._snapshot,
            vitals=lambda: self.state.vitals(last_turn_age_s=self._heart.age_s),
            events=self._journal.select,
            metrics=lambda: self._adopting.config.agent.metrics,
        )
        agent = self._options.config.agent
        return WebServer(
            listener=self._options.listener,
            sources=sources,
            web_config_file=agent.web_config_file,
            backend=self._readers,
            clock=self._clock,
            admission=Admission(most=agent.web_connections, most_of_one=agent.web_connections_per_client),
        )

    def stop(self, *, keep: bool = False) -> None:
        """End ``run`` in order, as SIGTERM does; with ``keep``, leave the table as it is, as SIGQUIT does."""
        self._keeps_all = self._keeps_all or keep
        self._stop.set()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.  Raises the error of a root task that failed, and StartError, NotPermitted or
        ModuleMissing if the agent cannot start; then it has not changed anything.
        """
        self._handle_signals()
        await asyncio.to_thread(_try_to_read, self._backend)
        try:
            await self._hooks.first()
            with unexpected_is_refused(self._options.path):
                self._workers.configure(self._adopting.config.intent.checks.values())
            self._announce_start()
            tasks = (
                self._workers.run,
                self._reconciling.run,
                self._reloading.run,
                self._hooks.run,
                self._heart.run,
                self._keep_journal,
                self._serve,
                self._announce_ready,
            )
            await run_until(self._stop, tasks, stopping=self._announce_stop)
        finally:
            await self._take_down()

    def _announce_stop(self) -> None:
        log.info("stopping", services_removed=len(self._to_remove()))
        systemd.notify("STOPPING=1")

    async def _take_down(self) -> None:
        """Stop in this order: the table, the files, the readers, the sockets."""
        services = self._to_remove() if self._stop.is_set() else frozenset()
        if services:
            await self._reconciling.remove(services)
        await self._hooks.finish(services)
        self._reconciling.close()
        self._journal.tell_held()
        self._reporter.record(EventKind.AGENT_STOPPED, [("", "")], version=__version__, orderly=self._stop.is_set())
        await self._journal.close(timeout_s=_JOURNAL_ENDS_S)
        if self.state.writes:
            self._keeper.close()
        await asyncio.to_thread(self.web.stop)
        self._options.starter.detach()
        await asyncio.to_thread(self._options.starter.close)
        self._backend.close()
        self._readers.close()
        self._reporter.log(EventKind.AGENT_STOPPED)

    def _to_remove(self) -> frozenset[ServiceKey]:
        """The services to delete from the table when the agent stops."""
        if self._keeps_all or not self.state.writes:
            return frozenset()
        services = self.state.intent.services
        return frozenset(service.service.key for service in services if service.on_stop is OnStop.REMOVE)

    # --- a new configuration --------------------------------------------------------------------------------------

    def _load(self, path: Path) -> Config:
        """Read the file again, in the calling thread.  Raises only ConfigError, if the file cannot be used."""
        with unexpected_is_refused(path):
            return self._options.load(path)

    def _adopt(self, config: Config, status: ConfigStatus) -> None:
        """Put a new configuration in force, all of it or nothing."""
        self._adopting.adopt(config, status)
        self._reloading.watches = config.agent.reload_on_change

    # --- from part to part ----------------------------------------------------------------------------------------

    def _take(self, reports: Sequence[CheckReport]) -> None:
        """Pass reports of checks to the state and to the hooks, and changes of health back to the checks."""
        for check, down in self._checking.take(reports):
            self._workers.set_down(check, down)
        self._hooks.take(reports)

    def _snapshot(self) -> Snapshot:
        return self.state.snapshot(
            engine=EngineStatus(
                load=self._workers.load,
                workers=self._workers.states,
                worker_losses=self._workers.losses,
                delays=self._checking.delays,
                last_turn_age_s=self._heart.age_s,
            ),
            log_messages=self._options.log_messages.read(),
            monitor_lines_dropped=self._hooks.monitor_lines_dropped,
        )

    # --- root tasks -----------------------------------------------------------------------------------------------

    async def _keep_journal(self) -> None:
        """Read the events of earlier processes after everything else has started, because this takes time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_JOURNAL_WAITS_S):
                await self._ready.wait()
        await self._journal.run()

    async def _serve(self) -> None:
        """Serve until stopped.  The first round comes first, because the start of the web server would delay it."""
        for _ in range(_TABLE_FIRST_STEPS):
            if self.state.reconcile.converged_once:
                break
            await asyncio.sleep(_TABLE_FIRST_S / _TABLE_FIRST_STEPS)
        await self.web.run()

    async def _announce_ready(self) -> None:
        """Notify the service manager once the first round is over and requests are answered."""
        await self._reconciling.first_round.wait()
        await self.web.until_serving()
        gc.freeze()  # objects that exist now stay: a full collection would stop the checks for tens of milliseconds
        systemd.notify("READY=1", f"STATUS=serving /metrics on {self.web.address}")
        self._ready.set()
        await asyncio.Event().wait()

    def _announce_start(self) -> None:
        self._reporter.report(
            EventKind.AGENT_STARTED,
            log_only={"configuration": self._options.path, "listen": self.web.address},
            version=__version__,
            virtual_services=len(self.state.intent.services),
            checks=len(self.state.intent.checks),
            writes=self.state.writes,
        )
        for problem in self._options.starter.users.warnings:
            log.warning("not_the_intended_user", problem=problem)
        for warning in self._adopting.config.warnings:
            log.warning("configuration_warning", place=warning.path or None, problem=warning.text)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGQUIT, partial(self.stop, keep=True))
        loop.add_signal_handler(signal.SIGHUP, partial(self._reloading.request, cause="sighup"))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # blocked since the command line was read


def _first_state(options: Options, *, memory: Memory, clock: Clock) -> AgentState:
    """The state at the start.  Raises ConfigError if the configuration cannot be put in force."""
    with unexpected_is_refused(options.path):
        status = first_status(options.config, path=options.path, clock=clock)
        return AgentState(
            clock=clock, writes=options.writes, intent=options.config.intent, config=status, memory=memory
        )


def _try_to_read(backend: IpvsBackend) -> None:
    """Raise errors that a later round would meet again; other errors are left to the reconcile loop."""
    try:
        backend.read_table()
    except (NotPermitted, ModuleMissing):
        raise
    except IpvsError as error:
        log.warning("table_not_read", error=error, consequence="the agent reads it again at the next round")
