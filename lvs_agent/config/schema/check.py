"""The keys that every kind of check has.  Those of one kind are in that checker's own ``Settings``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lvs_agent.config.schema.keys import known_keys
from lvs_agent.config.schema.values import FROM_TEXT, Address, Interval, OnFailure, Port, Streak, Timeout
from lvs_agent.settings.strict import Strict


class CheckKeys(Strict):
    """Keys that every type of check has."""

    type: str = "tcp"
    """Type of the check."""

    address: Address | None = None
    """Address to check.  The default is that of the real server."""

    port: Port | None = None
    """Port to check.  The default is that of the real server, else of the virtual service, else of the check type."""

    interval: Interval = 2.0
    """Time from the start of one probe to the start of the next."""

    down_interval: Interval | None = None
    """Interval while the real server is down.  The default is interval."""

    fast_interval: Interval | None = None
    """Interval while the last result differs from the state of the check, so that a first failure or a first success is
    confirmed or refuted soon.  The default is the interval of that state."""

    timeout: Timeout = 1.0
    """Total time limit of a probe; at most one hour."""

    connects_between: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Number of probes that only open a TCP connection between two complete probes.  A failed connection counts as a
    failure, and the next probe is a complete one."""

    on_failure: Annotated[OnFailure, FROM_TEXT] = OnFailure.DOWN
    """What a failed check does to its real server: it is "down", or it only loses "weight"."""

    failed_weight: Annotated[int, Field(ge=1, le=100)] = 50
    """With on_failure = "weight": percentage of its weight that the real server keeps, at least weight 1."""

    rise: Streak = 2
    """Consecutive successes after which a real server is up."""

    fall: Streak = 3
    """Consecutive failures after which a real server is down."""


DEFAULT_TYPE: str = CheckKeys.model_fields["type"].default
"""The kind of a check that does not say its own."""

COMMON_KEYS = frozenset(known_keys(CheckKeys))
"""The keys of every check."""
