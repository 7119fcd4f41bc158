"""The keys that every kind of check has.  Those of one kind are in that checker's own ``Settings``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lvs_agent.config.schema.keys import known_keys
from lvs_agent.config.schema.values import FROM_TEXT, Address, Interval, OnFailure, Port, Streak, Timeout
from lvs_agent.settings.strict import Strict


class CheckKeys(Strict):
    """Keys that every kind of check has."""

    type: str = "tcp"
    """Kind of check."""

    address: Address | None = None
    """Address to check; the default is the real server's."""

    port: Port | None = None
    """Port to check; the default is the real server's, else the service's, else the usual one of this kind."""

    interval: Interval = 2.0
    """Time from the start of one probe to the start of the next."""

    down_interval: Interval | None = None
    """The same while the real server is down; the default is interval."""

    fast_interval: Interval | None = None
    """The same while the last result speaks against what the check says: a first failure is looked into soon, and so is
    a first success.  By default nothing changes then."""

    timeout: Timeout = 1.0
    """The whole time that a probe has; at most a minute."""

    connects_between: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """This many probes only open a TCP connection before the next one does all that the check is about.  A connection
    that fails is a failure, and the next probe is a whole one."""

    on_failure: Annotated[OnFailure, FROM_TEXT] = OnFailure.DOWN
    """Whether a real server goes "down" while this check fails (the default), or only loses "weight"."""

    failed_weight: Annotated[int, Field(ge=1, le=100)] = 50
    """With on_failure = "weight": so many percent of its weight are left to the server, at least 1."""

    rise: Streak = 2
    """Successes in a row that bring a real server up."""

    fall: Streak = 3
    """Failures in a row that take a real server down."""


DEFAULT_TYPE: str = CheckKeys.model_fields["type"].default
"""The kind of a check that does not say its own."""

COMMON_KEYS = frozenset(known_keys(CheckKeys))
"""The keys of every check."""
