"""Whose password is verified next, and what wrong ones may cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lvs_agent.web.turnstile import BURST_S, SHARE, WAITING, TooMany, Turnstile

COST_S = 0.02


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """One thread."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


def work(*, right: bool, log: list[str] | None = None, name: str = "", cost_s: float = COST_S) -> Callable[[], bool]:
    """A verification that takes so much of a processor."""

    def verify() -> bool:
        began = time.thread_time()
        while time.thread_time() - began < cost_s:
            """Work."""
        if log is not None:
            log.append(name)
        return right

    return verify


def test_answer_is_that_of_the_verification(executor: ThreadPoolExecutor) -> None:
    """Right, wrong, or whatever it raises; the next one is served all the same."""

    def broken() -> bool:
        raise LookupError

    async def main() -> None:
        turnstile = Turnstile(executor)
        assert await turnstile.verify("a", work(right=True))
        assert not await turnstile.verify("a", work(right=False))
        with pytest.raises(LookupError):
            await turnstile.verify("a", broken)
        assert await turnstile.verify("a", work(right=True))

    asyncio.run(main())


def test_wrong_passwords_take_their_share_and_no_more(executor: ThreadPoolExecutor) -> None:
    """However many there are, and right ones cost nothing of it."""

    async def main() -> float:
        turnstile = Turnstile(executor)
        await asyncio.gather(*(turnstile.verify("a", work(right=True)) for _ in range(WAITING)))
        began, spent = time.monotonic(), 0
        while time.monotonic() - began < 3.0:
            await turnstile.verify("b", work(right=False))
            spent += 1
        return spent * COST_S / (time.monotonic() - began)

    share = asyncio.run(main())
    assert share < SHARE + (BURST_S + COST_S) / 3.0
    assert share > SHARE / 2


def test_client_without_wrong_passwords_comes_first(executor: ThreadPoolExecutor) -> None:
    """Whoever guesses waits for those who know."""

    async def main() -> list[str]:
        turnstile, log = Turnstile(executor), list[str]()
        await turnstile.verify("guesses", work(right=False))
        await asyncio.gather(
            *(turnstile.verify("guesses", work(right=False, log=log, name="guess")) for _ in range(3)),
            turnstile.verify("knows", work(right=True, log=log, name="know")),
        )
        return log

    assert asyncio.run(main()) == ["know", "guess", "guess", "guess"]


def test_who_has_guessed_most_is_put_off(executor: ThreadPoolExecutor) -> None:
    """Those that wait have a limit; a newcomer that has guessed nothing takes the place of one that has."""

    async def main() -> tuple[list[object], bool]:
        turnstile = Turnstile(executor)
        await turnstile.verify("guesses", work(right=False, cost_s=0))
        guesses = [
            asyncio.ensure_future(turnstile.verify("guesses", work(right=False, cost_s=0))) for _ in range(WAITING + 1)
        ]
        await asyncio.sleep(0)
        known = await turnstile.verify("knows", work(right=True))
        return await asyncio.gather(*guesses, return_exceptions=True), known

    answers, known = asyncio.run(main())
    assert known
    assert 1 <= sum(isinstance(answer, TooMany) for answer in answers) <= 2


def test_request_that_is_given_up_costs_nothing(executor: ThreadPoolExecutor) -> None:
    """It is taken out of those that wait."""

    async def main() -> list[str]:
        turnstile, log = Turnstile(executor), list[str]()
        first = asyncio.ensure_future(turnstile.verify("a", work(right=True, log=log, name="first")))
        given_up = asyncio.ensure_future(turnstile.verify("b", work(right=False, log=log, name="given up")))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await first
        assert await turnstile.verify("c", work(right=True, log=log, name="last"))
        return log

    assert asyncio.run(main()) == ["first", "last"]
