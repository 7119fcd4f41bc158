"""Taking in a new configuration: on demand, and when the file was replaced.

A file that cannot be used leaves everything as it is; the state says why until a good one comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lvs_agent.clock import Clock
from lvs_agent.config import Config
from lvs_agent.control.journal import Journal
from lvs_agent.control.state import AgentState
from lvs_agent.core.snapshot import ConfigStatus
from lvs_agent.errors import ConfigError
from lvs_agent.files import stamp_of
from lvs_agent.log import get_logger
from lvs_agent.model.event import EventKind

log = get_logger()

LOOK_S = 1.0


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
    """Reads ``path`` again with ``load`` and hands what is new to ``adopt``, both as the composition root wants.

    ``look_s``: seconds between two looks at the file; ``watches`` False: it is read again on request only.
    """

    def __init__(
        self,
        *,
        path: Path,
        load: Callable[[Path], Config],
        adopt: Callable[[Config], None],
        state: AgentState,
        journal: Journal,
        clock: Clock,
        watches: bool = True,
        look_s: float = LOOK_S,
    ) -> None:
        self.watches = watches
        self._path = path
        self._load = load
        self._adopt = adopt
        self._state = state
        self._journal = journal
        self._clock = clock
        self._look_s = look_s
        self._read = stamp_of(self._path)
        self._requested = asyncio.Event()
        self._cause = ""

    def request(self, *, cause: str) -> None:
        """Reload as soon as the loop gets to it; requests that come faster than reloads are one."""
        self._cause = cause
        self._requested.set()

    async def run(self) -> None:
        """Reload on request, and when the file has changed and then stood still between two looks at it."""
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
        """Read the file now.  False where it could not be used, and the old configuration stays in force."""
        self._read = stamp_of(self._path)
        try:
            config = await asyncio.to_thread(self._load, self._path)
        except ConfigError as error:
            self._refuse(error, cause=cause)
            return False
        self._accept(config, cause=cause)
        return True

    def _refuse(self, error: ConfigError, *, cause: str) -> None:
        status = self._state.config
        self._state.config = replace(
            status,
            last_reload_successful=False,
            reload_failures=status.reload_failures + 1,
            problems=tuple(map(str, error.problems)),
        )
        for problem in error.problems:
            log.error("configuration_problem", place=problem.path or None, problem=problem.text)
        log.error(
            "configuration_refused",
            path=self._path,
            cause=cause,
            problems=len(error.problems),
            consequence="the old one stays in force",
        )
        self._journal.record(
            EventKind.CONFIGURATION_REFUSED,
            cause=cause,
            problems=len(error.problems),
            problem=str(error.problems[0]) if error.problems else None,
        )

    def _accept(self, config: Config, *, cause: str) -> None:
        status = self._state.config
        changed = config.digest != status.digest
        self._state.config = replace(
            first_status(config, path=self._path, clock=self._clock),
            reloads=status.reloads + 1,
            reload_failures=status.reload_failures,
        )
        for warning in config.warnings:
            log.warning("configuration_warning", place=warning.path or None, problem=warning.text)
        log.info("configuration_reloaded", path=self._path, cause=cause, changed=changed)
        self._journal.record(EventKind.CONFIGURATION_RELOADED, cause=cause, changed=changed)
        if changed:
            self._adopt(config)
