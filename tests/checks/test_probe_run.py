from __future__ import annotations

import asyncio

from lvs_agent.checks.kinds import checkers
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Progress, Stage
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.model.check import Passed
from tests.checks import servers
from tests.checks.servers import descriptors, probe_run, run


class Held:
    """Something that is kept from one probe to the next."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_what_is_cached_is_made_once_for_each_check_and_maker() -> None:
    """Two makers do not get in each other's way, and neither do two checks; None is a value like others."""
    made: list[str] = []

    def text(word: str) -> str:
        made.append(word)
        return word.upper()

    def nothing() -> None:
        made.append("nothing")

    async def main() -> None:
        async with ProbeResources() as resources:
            one, other = ProbeRun(resources), ProbeRun(resources)
            assert [one.cached(text, "a"), one.cached(text, "a")] == ["A", "A"]
            assert [one.cached(nothing), one.cached(nothing)] == [None, None]
            assert other.cached(text, "b") == "B"

    run(main())
    assert made == ["a", "nothing", "b"]


def test_what_is_held_is_closed_once() -> None:
    """Releasing it again closes nothing more."""

    async def main() -> int:
        held = Held()
        async with probe_run() as given:
            given.held = held
            given.release()
            given.release()
        return held.closed

    assert run(main()) == 1


def test_new_probe_starts_from_the_beginning() -> None:
    """Nothing is left of how far the last one came."""
    progress = Progress()
    progress.stage, progress.waiting_for = Stage.QUEUED, "a place"
    progress.restart()

    assert (progress.stage, progress.waiting_for) == (Stage.CONNECTING, "connection")


def test_resources_need_no_loop_to_be_made_and_leave_nothing() -> None:
    """They are made where the agent is put together; opened and closed they give back every descriptor."""

    async def used(resources: ProbeResources) -> None:
        async with resources:
            given = ProbeRun(resources)
            assert await checkers()["ping"].probe(servers.target("ping"), given) == Passed("echo reply")

    before = descriptors()
    resources = ProbeResources()
    asyncio.run(used(resources))

    assert descriptors() == before
