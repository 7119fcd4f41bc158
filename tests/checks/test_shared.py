"""What probes of one loop share."""

from __future__ import annotations

import asyncio

from lvs_agent.checks.net.shared import close_shared, provide, shared


class Thing:
    """Something to share."""

    def __init__(self, name: str = "made by default") -> None:
        self.name = name
        self.closed = False

    async def close(self) -> None:
        self.closed = True


def test_thing_is_made_once_in_a_loop() -> None:
    """Who asks again gets the same, until it is closed."""

    async def main() -> tuple[Thing, Thing, Thing]:
        one, again = shared(Thing), shared(Thing)
        await close_shared()
        anew = shared(Thing)
        await close_shared()
        return one, again, anew

    one, again, anew = asyncio.run(main())

    assert one is again
    assert anew is not one
    assert one.closed


def test_thing_that_was_provided_is_the_one() -> None:
    """It is shared, and closed with everything else."""

    async def main() -> tuple[Thing, Thing]:
        given = Thing("provided")
        provide(given)
        found = shared(Thing)
        await close_shared()
        return given, found

    given, found = asyncio.run(main())

    assert found is given
    assert given.closed


def test_thing_is_provided_for_one_loop_only() -> None:
    """The next loop makes its own."""

    async def provided() -> None:
        provide(Thing("provided"))

    async def wanted() -> str:
        return shared(Thing).name

    asyncio.run(provided())

    assert asyncio.run(wanted()) == "made by default"
