"""The resources that the probes of one engine share: poller, ICMP sockets, threads and the runner of commands."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from lvs_agent.checks.net.pinger import Pinger
from lvs_agent.checks.net.poller import Poller
from lvs_agent.checks.net.threads import Threads
from lvs_agent.commands.command import Command, Ended
from lvs_agent.commands.command_runner import CommandRunner
from lvs_agent.model.check import CheckId


class CommandOfCheck(Protocol):
    """Runs the command of one check."""

    async def run(
        self,
        command: Command,
        *,
        started: Callable[[bool], object],
        silent: Callable[[bool], object],
        doubtful: bool = False,
        held_at: float = -math.inf,
    ) -> Ended:
        """See ``CommandRunner.run``."""


class Commands(Protocol):
    """Runs the commands of checks: in a check worker the agent does that."""

    @property
    def running(self) -> int:
        """How many commands run."""

    @property
    def waiting(self) -> int:
        """How many commands wait for a slot."""

    def of(self, check: CheckId) -> CommandOfCheck:
        """Runs the command of ``check``."""

    async def close(self) -> None:
        """Stop all of them."""


class ProbeResources:
    """Everything that the probes of one engine share, for ``async with`` on the loop that they run on.

    It can be made without a loop, and is used once.  Leaving the block closes all resources; cancel probes that still
    use them before.
    """

    __slots__ = ("commands", "pinger", "poller", "threads")

    def __init__(
        self, *, threads: Threads | None = None, commands: Commands | None = None, pinger: Pinger | None = None
    ) -> None:
        self.poller = Poller()
        self.pinger = pinger or Pinger()
        self.threads = threads or Threads()
        self.commands: Commands = commands or CommandRunner()

    async def __aenter__(self) -> Self:
        self.poller.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.commands.close()
        await self.threads.close()
        self.pinger.close()
        self.poller.close()
