"""The state of a check from its results, and the health of a real server from the states of its checks.

Rules of this file:

1. Only this file changes health.
2. A local error (``Errored``) changes nothing.
3. ``fall`` failures in a row take a check down, ``rise`` successes in a row bring it up again.
4. The first success settles an unknown state, but the first failure does not: after a start, removing a server that is
   in service needs as many failures as at any other time.
5. A real server is down as soon as one of its checks is down, and up only when all of them are up.  If any check is
   enough, it is up as soon as one is up, and down only when all are down.  A server without checks stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from lvs_agent.model.check import CheckResult, Errored, Passed
from lvs_agent.model.intent import PassWhen


class Health(Enum):
    """The health of a check or of a real server."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class CheckState:
    """The health of a check, and the number of results in a row that contradict it."""

    health: Health = Health.UNKNOWN
    against: int = 0


_SETTLED = {health: CheckState(health) for health in Health}
UNKNOWN = _SETTLED[Health.UNKNOWN]


def judge(state: CheckState, result: CheckResult, *, rise: int, fall: int) -> CheckState:
    """The state after ``result``.  ``rise`` and ``fall`` are 1 and up."""
    if isinstance(result, Errored):
        return state
    if isinstance(result, Passed):
        return _believe(state, Health.UP, needed=rise if state.health is Health.DOWN else 1)
    return _believe(state, Health.DOWN, needed=fall)


def _believe(state: CheckState, said: Health, *, needed: int) -> CheckState:
    """The state after one more result ``said``; ``needed`` of them in a row change the health."""
    if state.health is said:
        return _SETTLED[said]
    against = state.against + 1
    return _SETTLED[said] if against >= needed else CheckState(state.health, against)


def combine(healths: Iterable[Health], *, pass_when: PassWhen = PassWhen.ALL) -> Health:
    """The health of a real server whose checks have ``healths``."""
    said = set(healths)
    one, every = (Health.DOWN, Health.UP) if pass_when is PassWhen.ALL else (Health.UP, Health.DOWN)
    if one in said:
        return one
    return every if said == {every} else Health.UNKNOWN
