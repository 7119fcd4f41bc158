"""Commands as a worker asks for them, of an agent that answers, falls silent and goes on."""

from __future__ import annotations

import asyncio

from lvs_agent.commands.command import ENVIRONMENT, Command, Ended
from lvs_agent.commands.command_runner import ASK_S, SILENT_S
from lvs_agent.model.check import CheckId
from lvs_agent.workers.protocol import Answer, Call, Cancel, Ping, Silent, Started
from lvs_agent.workers.remote_commands import RemoteCommands

ANY = Command(argv=["/bin/true"], environment=ENVIRONMENT, user=None, output_limit=1)
LONG_S = SILENT_S + 4 * ASK_S


class Bench:
    """Remote commands, what they have said to the agent, and what a check has heard of its command."""

    def __init__(self) -> None:
        self.said: list[Call | Cancel | Ping] = []
        self.heard: list[tuple[str, bool]] = []
        self.commands = RemoteCommands(number_of=lambda _: 0, say=self.said.append)

    async def run(self) -> Ended:
        """Run a command as the check does."""
        return await self.commands.of(CheckId("check")).run(
            ANY,
            started=lambda waited: self.heard.append(("started", waited)),
            silent=lambda silent: self.heard.append(("silent", silent)),
        )


def test_nothing_is_known_of_a_command_while_the_agent_is_silent() -> None:
    """The agent is asked once, however long it is silent; whatever it says ends the silence."""

    async def main() -> None:
        bench = Bench()
        watching = asyncio.create_task(bench.commands.watch())
        running = asyncio.create_task(bench.run())
        await asyncio.sleep(LONG_S)
        assert bench.heard == []  # a command that was not started is none of the server's business
        bench.commands.started(Started(0, waited=False))
        await asyncio.sleep(LONG_S)
        asked = bench.said.count(Ping())
        bench.commands.answered(Answer(0, (0, None, "well")))

        assert (await running).output == "well"
        assert bench.heard == [("started", False), ("silent", True), ("silent", False)]
        assert asked == 2
        watching.cancel()

    asyncio.run(main())


def test_agent_that_answers_again_does_not_speak_for_the_runner() -> None:
    """As long as the runner is silent, so is the command."""

    async def main() -> None:
        bench = Bench()
        watching = asyncio.create_task(bench.commands.watch())
        running = asyncio.create_task(bench.run())
        await asyncio.sleep(0)
        bench.commands.started(Started(0, waited=True))
        bench.commands.silent(Silent(0, silent=True))
        await asyncio.sleep(LONG_S)
        bench.commands.heard()
        assert bench.heard == [("started", True), ("silent", True)]
        bench.commands.silent(Silent(0, silent=False))
        assert bench.heard[2:] == [("silent", False)]
        running.cancel()
        watching.cancel()

    asyncio.run(main())


def test_nobody_is_asked_without_a_command() -> None:
    """A worker that runs no command says nothing about them."""

    async def main() -> None:
        bench = Bench()
        watching = asyncio.create_task(bench.commands.watch())
        await asyncio.sleep(LONG_S)
        assert bench.said == []
        watching.cancel()

    asyncio.run(main())
