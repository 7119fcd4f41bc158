"""The composition root: builds the parts, runs the root tasks, and takes everything down in order.

Root tasks never return.  One that fails ends the daemon with an error, so that the service manager starts it again;
the table stays as it is.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lvs_agent import __version__, systemd
from lvs_agent.checks.engine import libraries
from lvs_agent.checks.engine.engine import Engine
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.checks.net.threads import Threads
from lvs_agent.clock import Clock, SystemClock
from lvs_agent.commands.command_runner import CommandRunner
from lvs_agent.config import Config
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
from lvs_agent.web.server import WebServer
from lvs_agent.web.sources import Sources

log = get_logger()

_TABLE_FIRST_S = 1.0
"""How long the web server waits at most for the first checks and the round after them."""
_TABLE_FIRST_STEPS = 50
_JOURNAL_WAITS_S = 5.0
"""How long the events of earlier processes wait for the agent to become ready."""
_JOURNAL_ENDS_S = 1.0
"""How long the last events may take to be written when the agent stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line decides.

    ``open_backend`` gives a connection to the table: one for the writer, one for the readers.  ``load`` reads the
    configuration file again.  ``listener`` is bound to where /metrics is served.  ``observes``: nothing in the table is
    ours, whatever earlier runs left behind, and ``writes`` is False.  ``monitor_line`` makes the lines of monitor
    files; without it there are none.
    """

    path: Path
    config: Config
    load: Callable[[Path], Config]
    open_backend: Callable[[], IpvsBackend]
    listener: socket.socket
    writes: bool
    log_messages: MessageCounts
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
        self._threads = Threads(concurrency=agent.thread_concurrency)
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
        commands = CommandRunner(concurrency=agent.command_concurrency, user=agent.command_user)
        resources = ProbeResources(threads=self._threads, commands=commands)
        self._engine = Engine(clock=self._clock, report=self._take, resources=resources)
        self._adopting = Adopting(
            options.config,
            state=self.state,
            hooks=self._hooks,
            reconciling=self._reconciling,
            requests=requests,
            configure=self._engine.configure,
        )
        self._reloading = self._reloader()
        self._heart = Heart(
            clock=self._clock,
            makes_progress=self._reconciling.makes_progress,
            feed=partial(systemd.notify, "WATCHDOG=1"),
            watchdog_s=systemd.watchdog_interval(),
        )
        self.web = self._web_server()

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
        return WebServer(
            listener=self._options.listener,
            sources=sources,
            web_config_file=self._adopting.config.agent.web_config_file,
            backend=self._readers,
            clock=self._clock,
        )

    def stop(self, *, keep: bool = False) -> None:
        """End ``run`` in order, as SIGTERM does; with ``keep``, leave the table as it is, as SIGQUIT does."""
        self._keeps_all = self._keeps_all or keep
        self._stop.set()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.  Raises StartError, NotPermitted or ModuleMissing where the agent cannot start,
        before it has changed anything, and whatever ended a root task.
        """
        await asyncio.to_thread(_try_to_read, self._backend)
        await asyncio.to_thread(libraries.load, self._adopting.config.intent.checks.values())
        try:
            await self._hooks.first()
            with unexpected_is_refused(self._options.path):
                self._engine.configure(self._adopting.config.intent.checks.values())
            self._handle_signals()
            self._announce_start()
            await self._until_stopped(
                self._engine.run,
                self._reconciling.run,
                self._reloading.run,
                self._hooks.run,
                self._heart.run,
                self._keep_journal,
                self._serve,
                self._announce_ready,
            )
        finally:
            await self._take_down()

    async def _until_stopped(self, *root_tasks: Callable[[], Awaitable[None]]) -> None:
        """Run the root tasks until the stop signal; the first one to fail ends them all."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_root(task), name=task.__qualname__) for task in root_tasks]
            await self._stop.wait()
            log.info("stopping", services_removed=len(self._to_remove()))
            systemd.notify("STOPPING=1")
            for task in tasks:
                task.cancel()

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
        self._backend.close()
        self._readers.close()
        self._reporter.log(EventKind.AGENT_STOPPED)

    def _to_remove(self) -> frozenset[ServiceKey]:
        """The services that are not to stay in the table when the agent stops."""
        if self._keeps_all or not self.state.writes:
            return frozenset()
        services = self.state.intent.services
        return frozenset(service.service.key for service in services if service.on_stop is OnStop.REMOVE)

    # --- a new configuration --------------------------------------------------------------------------------------

    def _load(self, path: Path) -> Config:
        """Read the file again, with the libraries of its checks, in the thread that this is called in.

        Raises ConfigError, and nothing else, where the file cannot be used.
        """
        with unexpected_is_refused(path):
            config = self._options.load(path)
            libraries.load(config.intent.checks.values())
            return config

    def _adopt(self, config: Config, status: ConfigStatus) -> None:
        """Put a new configuration in force, all of it or nothing."""
        self._adopting.adopt(config, status)
        self._reloading.watches = config.agent.reload_on_change

    # --- from part to part ----------------------------------------------------------------------------------------

    def _take(self, reports: Sequence[CheckReport]) -> None:
        """Reports of the engine to the state; what follows from them to the engine and to the hooks."""
        for check, down in self._checking.take(reports):
            self._engine.set_down(check, down)
        self._hooks.take(reports)

    def _snapshot(self) -> Snapshot:
        load, threads = self._engine.load, self._threads.load
        engine = EngineStatus(
            in_flight=load.in_flight,
            pending=load.pending,
            delays=self._checking.delays,
            last_turn_age_s=self._heart.age_s,
            threads=threads.busy,
            threads_queued=threads.queued,
            thread_oldest_s=threads.oldest_s,
        )
        return self.state.snapshot(
            engine=engine,
            log_messages=self._options.log_messages.read(),
            monitor_lines_dropped=self._hooks.monitor_lines_dropped,
        )

    # --- root tasks -----------------------------------------------------------------------------------------------

    async def _keep_journal(self) -> None:
        """Read the events of earlier processes once all else is at work: reading them takes time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_JOURNAL_WAITS_S):
                await self._ready.wait()
        await self._journal.run()

    async def _serve(self) -> None:
        """Serve until stopped.  The table comes first: on a busy machine the web server's start would hold it up."""
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
        for warning in self._adopting.config.warnings:
            log.warning("configuration_warning", place=warning.path or None, problem=warning.text)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGQUIT, partial(self.stop, keep=True))
        loop.add_signal_handler(signal.SIGHUP, partial(self._reloading.request, cause="sighup"))


def _first_state(options: Options, *, memory: Memory, clock: Clock) -> AgentState:
    """The state at the start.  Raises ConfigError if the configuration cannot be put in force."""
    with unexpected_is_refused(options.path):
        status = first_status(options.config, path=options.path, clock=clock)
        return AgentState(
            clock=clock, writes=options.writes, intent=options.config.intent, config=status, memory=memory
        )


def _try_to_read(backend: IpvsBackend) -> None:
    """Raise errors that no later round would cure; a kernel that is only slow now is left to the reconcile loop."""
    try:
        backend.read_table()
    except (NotPermitted, ModuleMissing):
        raise
    except IpvsError as error:
        log.warning("table_not_read", error=error, consequence="tried again each period")


async def _root(task: Callable[[], Awaitable[None]]) -> None:
    """Run a task that must not end on its own."""
    try:
        await task()
    except Exception as error:
        log.critical("task_failed", task=task.__qualname__, error=error, exc_info=True)
        raise
    raise RuntimeError(f"{task.__qualname__} ended")
