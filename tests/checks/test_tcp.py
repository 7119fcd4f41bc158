from __future__ import annotations

import pytest

from lvs_agent.model.check import Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks import servers
from tests.checks.servers import result_of, run, serving, spec


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_accepting_server_passes(address: str) -> None:
    """The connection is all that is asked."""

    async def main() -> None:
        async with serving(servers.silent, address=address) as port:
            assert await result_of(spec("tcp", port=port, address=address)) == Passed("connected")

    run(main())


def test_refusing_server_fails() -> None:
    """Nobody listens."""
    result = run(result_of(spec("tcp", port=servers.unused_port())))

    assert result == Failed(FailureReason.REFUSED, "connection refused")


def test_full_backlog_is_a_connect_timeout() -> None:
    """A listener that accepts nothing any more lets connections hang."""

    async def main() -> None:
        with servers.full_listener() as port:
            assert await result_of(spec("tcp", port=port, timeout_s=0.2)) == Failed(
                FailureReason.CONNECT_TIMEOUT, "no answer within 0.2 s: waiting for connection"
            )

    run(main())


def test_running_out_of_descriptors_is_our_own_fault() -> None:
    """With no descriptor left the probe says nothing about the server."""

    async def main() -> None:
        async with serving(servers.silent) as port, servers.engine_running() as (engine, reports):
            engine.configure([spec("tcp", port=port)])
            with servers.no_descriptors_left():
                result = (await reports.get()).result

            assert isinstance(result, Errored)
            assert result.reason is ErrorReason.NO_DESCRIPTORS

    run(main())
