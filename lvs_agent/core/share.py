"""The percent of its weight that a real server gets, from its checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lvs_agent.core.health import CheckState, Health
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Passed
from lvs_agent.model.intent import RealServer


class Known(Protocol):
    """What is known of a check."""

    @property
    def state(self) -> CheckState: ...

    @property
    def last(self) -> CheckReport | None: ...


def may_ask_for_a_share(server: RealServer, specs: Mapping[CheckId, CheckSpec]) -> bool:
    """Whether a check of ``server`` can change its weight."""
    return bool(server.lowering) or any(specs[check].gives_weight for check in server.checks)


def share_of(server: RealServer, known: Mapping[CheckId, Known]) -> int | None:
    """Percent of its weight: the lowest that a check allows or its agent check requests; None if no check does."""
    said = [percent for check, percent in server.lowering if known[check].state.health is Health.DOWN]
    for check in server.checks:
        last = known[check].last
        if last is not None and isinstance(last.result, Passed) and last.result.weight_percent is not None:
            said.append(last.result.weight_percent)
    return min(said, default=None)
