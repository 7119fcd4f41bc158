"""Watches the maintenance directory: while a file named after a real server exists, the server is out of service.

``core.maintenance`` decides which server a name means.  The directory is read about once a second in a separate thread.
Host names are looked up in another thread, and only if a file is named after a host.

If the directory becomes unreadable (deleted, unmounted, not permitted, hanging), servers in maintenance stay in
maintenance, because the work on them may go on.  A server that returns to service by mistake harms users; one that
stays out of service is shown in the log and on the status page.  To return the servers to service, create the directory
again, empty.  A directory that could never be read takes no server out of service.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from lvs_agent.clock import Clock
from lvs_agent.control.reverse_names import Resolver, ReverseNames, host_names
from lvs_agent.control.side_thread import SideThread
from lvs_agent.core.maintenance import has_host_names, in_maintenance
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.log import get_logger
from lvs_agent.model.ipvs import IPAddress

log = get_logger()

LOOK_S = 1.0
"""Seconds between two reads of the directory."""
MOST_FILES = 4_096
"""A directory with more entries is not a maintenance directory, and counts as unreadable."""
FIRST_NAMES_S = 2.0
"""Seconds that the start waits for host names, if files are named after hosts."""
_HANGS_S = 5.0


class Maintenance:
    """Calls ``changed`` on the loop with the servers in maintenance, each time that this set changes.

    ``directory`` None: no server is in maintenance.  ``servers``: all real servers, with the ports of their checks.
    ``resolver`` returns the names of an address.  ``look_s``: seconds between two reads of the directory.
    """

    def __init__(
        self,
        *,
        changed: Callable[[frozenset[ServerKey]], None],
        clock: Clock,
        resolver: Resolver = host_names,
        look_s: float = LOOK_S,
    ) -> None:
        self._changed = changed
        self._look_s = look_s
        self._directory: Path | None = None
        self._servers: Mapping[ServerKey, Collection[int]] = {}
        self._addresses: frozenset[IPAddress] = frozenset()
        self._files: frozenset[str] = frozenset()
        self._answer: frozenset[ServerKey] = frozenset()
        self._complained = False
        self._undecided = False
        self._woken = asyncio.Event()
        self._thread = _thread()
        self._names = ReverseNames(clock=clock, learned=self._decide, resolver=resolver)

    def adopt(self, *, directory: Path | None, servers: Mapping[ServerKey, Collection[int]]) -> None:
        """Put a configuration in force.

        If the directory is the same, the names read last count for new servers at once.  ``run`` reads a different
        directory as soon as it can; until then, the servers in maintenance stay the same.
        """
        moved = directory != self._directory
        self._directory, self._servers = directory, servers
        self._addresses = frozenset(key[1].address for key in servers)
        if directory is None:
            self._files = frozenset()
        if moved and directory is not None:
            self._thread.close()
            self._thread = _thread()  # the old thread may hang in the old directory
            self._complained = False
            self._undecided = True
            self._woken.set()
        else:
            self._decide()

    async def first(self) -> None:
        """Read the directory for the first time; to be awaited before the first round.

        If files are named after hosts, it waits for host names, but not longer than ``FIRST_NAMES_S``.
        """
        if await self._look():
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_NAMES_S):
                    await self._names.look_up(self._addresses)

    async def run(self) -> None:
        """Follow the directory until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._names.run(), name="reverse names of servers")
            while True:
                self._woken.clear()
                if await self._look():
                    self._names.want(self._addresses)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_s):
                        await self._woken.wait()

    def close(self) -> None:
        """End the threads, without waiting for one that hangs."""
        self._thread.close()
        self._names.close()

    async def _look(self) -> bool:
        """Read the directory and decide.  True if host names are needed."""
        directory = self._directory
        if directory is None or self._thread.busy:
            return False
        try:
            files = await self._thread.call(partial(_names_in, directory), limit_s=_HANGS_S)
        except (OSError, ValueError) as problem:  # a TimeoutError is one too; ValueError: a path that cannot be one
            self._complain(directory, problem)
            return False
        if directory != self._directory:
            return False  # a new configuration was adopted meanwhile, and reads again
        self._take(directory, files)
        return has_host_names(files)

    def _take(self, directory: Path, files: frozenset[str]) -> None:
        if self._complained:
            log.info("maintenance_directory_read_again", directory=directory)
        self._complained = False
        if self._undecided or files != self._files:
            self._undecided = False
            self._files = files
            self._decide()

    def _complain(self, directory: Path, problem: OSError | ValueError) -> None:
        if not self._complained:
            log.warning(
                "maintenance_directory_not_read",
                directory=directory,
                error=str(problem) or f"no answer within {_HANGS_S:g} s",
                consequence="servers in maintenance stay in maintenance, and no others are added",
                remedy="create the directory, or remove agent.maintenance_dir",
            )
        self._complained = True

    def _decide(self) -> None:
        """Decide with the names that are known now."""
        answer = in_maintenance(self._files, servers=self._servers, names=self._names.known)
        if answer != self._answer:
            self._answer = answer
            self._changed(answer)


async def read_maintenance(
    directory: Path | None,
    *,
    servers: Mapping[ServerKey, Collection[int]],
    clock: Clock,
    resolver: Resolver = host_names,
) -> frozenset[ServerKey]:
    """The servers in maintenance as an agent that starts now would see them in its first round."""
    found: frozenset[ServerKey] = frozenset()

    def note(answer: frozenset[ServerKey]) -> None:
        nonlocal found
        found = answer

    maintenance = Maintenance(changed=note, clock=clock, resolver=resolver)
    maintenance.adopt(directory=directory, servers=servers)
    try:
        await maintenance.first()
    finally:
        maintenance.close()
    return found


def _thread() -> SideThread:
    return SideThread(name="maintenance-directory")


def _names_in(directory: Path) -> frozenset[str]:
    """The names of all entries in ``directory``.  Raises OSError, also if there are too many."""
    with os.scandir(directory) as entries:
        names = frozenset(entry.name for entry in islice(entries, MOST_FILES + 1))
    if len(names) > MOST_FILES:
        raise OSError(f"more than {MOST_FILES} entries")
    return names
