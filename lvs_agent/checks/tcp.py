"""TCP connection; it must be accepted."""

from __future__ import annotations

from lvs_agent.checks.connection import Connection, Endpoint, endpoint_of
from lvs_agent.checks.outcome import outcome_of
from lvs_agent.checks.settings import CheckSettings
from lvs_agent.model.check import CheckResult, Passed, Target

LEAN = True


class Settings(CheckSettings):
    """Keys of a check with ``type = "tcp"``: none of its own."""


async def probe(target: Target) -> CheckResult:
    """Connect, then close in order.  Nothing is sent, and what the server sends is not read."""
    try:
        with Connection(_endpoint(target), target.progress) as connection:
            await connection.connected()
    except OSError as problem:
        return outcome_of(problem)
    return Passed("connected")


def _endpoint(target: Target) -> Endpoint:
    prepared = target.progress.prepared
    if not isinstance(prepared, Endpoint) or prepared.poller.closed:
        prepared = target.progress.prepared = endpoint_of(target.address, target.port or 0)
    return prepared
