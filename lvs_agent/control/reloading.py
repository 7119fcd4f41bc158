"""Loads a new configuration: on demand, and when the file was replaced.

If the file cannot be used, nothing changes, and the state shows the errors until a valid file is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from lvs_agent.clock import Clock
from lvs_agent.config import Config
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.control.reporting import Reporter
from lvs_agent.control.side_thread import SideThread
from lvs_agent.control.state import AgentState
from lvs_agent.core.snapshot import ConfigStatus
from lvs_agent.errors import ConfigError, InternalConfigError, Problem
from lvs_agent.files import stamp_of
from lvs_agent.log import get_logger
from lvs_agent.model.event import EventKind

log = get_logger()

LOOK_S = 1.0
READ_S = 120.0
"""Seconds that reading a configuration may take: many times what the largest one needs."""
_THREAD = "configuration"
_MOST_TOLD = 100
"""Problems of one file that are logged one by one."""


def first_status(config: Config, *, path: Path, clock: Clock) -> ConfigStatus:
    """The status of the configuration that the process starts with."""
    return ConfigStatus(
        digest=config.digest,
        common_digest=config.common_digest,
        path=str(path),
        loaded_at=clock.now(),
        reconcile_interval_s=config.agent.reconcile_interval_s,
        warnings=tuple(map(str, config.warnings)),
    )


class Reloading:
    """Reads ``path`` again with ``load``, in a side thread, and puts a new configuration in force with ``adopt``.

    ``load`` raises only ConfigError, if the file cannot be used.  ``adopt`` is called on the loop, and changes nothing
    if it raises anything.  ``look_s``: seconds between two looks at the file; ``read_s``: seconds that reading it may
    take.  ``watches`` False: the file is read again on request only.
    """

    def __init__(
        self,
        *,
        path: Path,
        load: Callable[[Path], Config],
        adopt: Callable[[Config, ConfigStatus], None],
        state: AgentState,
        reporter: Reporter,
        clock: Clock,
        watches: bool = True,
        look_s: float = LOOK_S,
        read_s: float = READ_S,
    ) -> None:
        self.watches = watches
        self._path = path
        self._load = load
        self._adopt = adopt
        self._state = state
        self._reporter = reporter
        self._clock = clock
        self._look_s = look_s
        self._read_s = read_s
        self._thread = SideThread(name=_THREAD)
        self._read = stamp_of(self._path)
        self._requested = asyncio.Event()
        self._cause = ""

    def request(self, *, cause: str) -> None:
        """Reload as soon as possible.  Requests that arrive before the reload starts are merged."""
        self._cause = cause
        self._requested.set()

    async def run(self) -> None:
        """Reload on request, and when the file has changed and is then unchanged for two looks in a row."""
        last = self._read
        while True:
            if not await self._request_within(self._look_s):
                now = stamp_of(self._path)
                settled, last = now is not None and now != self._read and now == last, now
                if not settled or not self.watches:
                    continue
                self._cause = "file_changed"
            self._requested.clear()
            await self.reload(cause=self._cause)

    async def _request_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._requested.wait()
        except TimeoutError:
            return False

    async def reload(self, *, cause: str) -> bool:
        """Read the file now.  False if it could not be used; then the old configuration stays in force."""
        self._read = stamp_of(self._path)
        try:
            config = await self._loaded()
            changed = self._accept(config)
        except ConfigError as error:
            self._refuse(error, cause=cause)
            return False
        for warning in config.warnings:
            log.warning("configuration_warning", place=warning.path or None, problem=warning.text)
        self._reporter.report(
            EventKind.CONFIGURATION_RELOADED, log_only={"path": self._path}, cause=cause, changed=changed
        )
        return True

    async def _loaded(self) -> Config:
        """The configuration in the file.

        Raises ConfigError, also if reading takes too long: the file may be a pipe, or on a disk that hangs.
        """
        try:
            return await self._thread.call(partial(self._load, self._path), limit_s=self._read_s)
        except TimeoutError:
            self._thread.close()
            self._thread = SideThread(name=_THREAD)  # the old thread is busy until it has read the file
            text = f"could not be read within {self._read_s:g} s; it must be a file on a disk that answers"
            raise ConfigError([Problem(str(self._path), text)]) from None

    def _accept(self, config: Config) -> bool:
        """Put ``config`` in force; True if it says anything new.  Raises ConfigError; then nothing has changed."""
        before = self._state.config
        status = replace(
            first_status(config, path=self._path, clock=self._clock),
            reloads=before.reloads + 1,
            reload_failures=before.reload_failures,
        )
        if config.digest == before.digest:
            self._state.configuration_confirmed(status)
            return False
        with unexpected_is_refused(self._path):
            self._adopt(config, status)
        return True

    def _refuse(self, error: ConfigError, *, cause: str) -> None:
        self._state.configuration_refused(map(str, error.problems))
        if isinstance(error, InternalConfigError):
            log.error("configuration_internal_error", path=self._path, exc_info=error.__cause__)
        for problem in error.problems[:_MOST_TOLD]:
            log.error("configuration_problem", place=problem.path or None, problem=problem.text)
        self._reporter.report(
            EventKind.CONFIGURATION_REFUSED,
            log_only={"path": self._path, "consequence": "the old configuration stays in force"},
            cause=cause,
            problems=len(error.problems),
            problem=str(error.problems[0]) if error.problems else None,
        )
