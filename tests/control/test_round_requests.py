from __future__ import annotations

import asyncio

import pytest

from lvs_agent.control.round_requests import RoundRequests
from lvs_agent.model.ipvs import ServiceKey
from tests.builders import fwmark_key, service_key

WEB, MARK = service_key(), fwmark_key()


@pytest.mark.parametrize(
    ("requests", "scope"),
    [
        pytest.param([], frozenset(), id="none"),
        pytest.param([frozenset({WEB}), frozenset({MARK})], frozenset({WEB, MARK}), id="services add up"),
        pytest.param([frozenset({WEB}), None], None, id="all of them include each"),
        pytest.param([None, frozenset({WEB})], None, id="one does not narrow all of them"),
    ],
)
def test_requests_until_a_round_are_one(
    requests: list[frozenset[ServiceKey] | None], scope: frozenset[ServiceKey] | None
) -> None:
    """A round is for everything that was asked for since the one before, and then nothing waits."""
    asked = RoundRequests()
    for services in requests:
        asked.wake(services)

    assert asked.waiting is bool(requests)
    assert asked.take() == scope
    assert not asked.waiting
    assert asked.take() == frozenset()


def test_waiting_ends_with_a_request_or_with_its_time() -> None:
    """A request ends the wait at once; without one it lasts as long as it may."""

    async def scenario() -> None:
        asked = RoundRequests()
        await asked.wait(seconds=0.0)
        assert not asked.waiting
        waiting = asyncio.create_task(asked.wait(seconds=60.0))
        asked.wake()
        await asyncio.wait_for(waiting, 10.0)

    asyncio.run(scenario())
