"""What the probes of one engine share: the poller, ICMP sockets, threads and the runner of commands."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from lvs_agent.checks.net.pinger import Pinger
from lvs_agent.checks.net.poller import Poller
from lvs_agent.checks.net.threads import Threads
from lvs_agent.commands.command_runner import CommandRunner


class ProbeResources:
    """Everything that the probes of one engine share, for ``async with`` on the loop that they run on.

    It can be made without a loop, and is used once.  Leaving it closes all of it; probes that still wait for any of it
    must have been cancelled before.
    """

    __slots__ = ("commands", "pinger", "poller", "threads")

    def __init__(self, *, threads: Threads | None = None, commands: CommandRunner | None = None) -> None:
        self.poller = Poller()
        self.pinger = Pinger()
        self.threads = threads or Threads()
        self.commands = commands or CommandRunner()

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
