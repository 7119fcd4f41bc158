from __future__ import annotations

import pytest

from lvs_agent.checks.engine.alternating import Alternating
from lvs_agent.checks.kinds import checkers
from lvs_agent.model.check import Failed, FailureReason, Passed
from tests.checks.servers import answering, engine_running, ok, run, serving, spec

FAILED = Failed(FailureReason.REFUSED)


@pytest.mark.parametrize(
    ("results", "kinds"),
    [
        pytest.param("++++++", "htthtt", id="all is well"),
        pytest.param("-+++++", "hhtthtt"[:6], id="the whole probe is repeated until it passes"),
        pytest.param("+-++++", "hthtth", id="a connection that fails is looked into at once"),
        pytest.param("+--+++", "hthhtt", id="a server that stays away is probed whole"),
    ],
)
def test_connections_stand_between_whole_probes_while_all_is_well(results: str, kinds: str) -> None:
    """The cheap probe is only for servers that nothing speaks against."""
    chooser = Alternating(checkers()["http"], spec("http", port=1, connects_between=2))

    chosen = []
    for result in results:
        chosen.append(chooser.next().kind)
        chooser.note(Passed() if result == "+" else FAILED)

    assert "".join(kind[0] for kind in chosen) == kinds


@pytest.mark.parametrize("redirects", [0, 3])
def test_engine_connects_between_two_requests(redirects: int) -> None:
    """Of six probes two ask for the page and four only connect, however the requests are driven."""

    async def main() -> None:
        async with serving(answering(ok())) as port, engine_running() as (engine, reports):
            engine.configure([spec("http", port=port, follow_redirects=redirects, interval_s=0.05, connects_between=2)])
            details = [getattr((await reports.get()).result, "detail", "") for _ in range(6)]

        assert [detail == "connected" for detail in details] == [False, True, True] * 2

    run(main())
