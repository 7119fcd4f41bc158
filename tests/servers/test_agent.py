"""The grammar of agents, held to HAProxy, which has made it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lvs_agent.checks.kinds.agent import judge
from lvs_agent.model.check import Passed
from tests.servers.daemons import needs
from tests.servers.haproxy import HaProxy, Seen, haproxy

pytestmark = needs("haproxy", root=False)


@pytest.fixture(scope="module")
def reference() -> Iterator[HaProxy]:
    """HAProxy, asking an agent of ours."""
    with haproxy() as started:
        yield started


@pytest.mark.parametrize(
    "line",
    [
        *("up", "ready", "75%", "75% up", "up,50%", "UP", "Ready", "30% maxconn:20", "200%", "1%"),
        *("drain", "drain 75%", "drain,up", "up # all is well", "down", "fail", "stopped", "maint"),
        *("down # disk full", "75% down", "stopped 20%", "ready down", "maint # moving house"),
    ],
)
def test_word_means_what_it_means_to_haproxy(reference: HaProxy, line: str) -> None:
    """In service or not, and with which share of its weight (the reference's server has 100)."""
    seen, ours = reference.told(line), judge(line)

    if isinstance(ours, Passed):
        assert seen == (
            Seen("DRAIN", seen.weight) if ours.weight_percent == 0 else Seen("UP", ours.weight_percent or 0)
        )
    else:
        assert seen.state in {"DOWN", "MAINT"}
