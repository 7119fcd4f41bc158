from __future__ import annotations

import asyncio

import pytest

from lvs_agent.checks.kinds.ping import probe
from lvs_agent.model.check import Errored, ErrorReason, Passed
from tests.checks.servers import no_descriptors_left, probe_run, result_of, run, spec, target


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_answers(address: str) -> None:
    """ICMP and ICMPv6, on the socket that this kernel allows."""
    assert run(result_of(spec("ping", address=address))) == Passed("echo reply")


def test_many_pings_at_once_are_told_apart() -> None:
    """Five hundred pings on one socket each get their own answer."""

    async def main() -> None:
        targets = [target("ping", address=f"127.0.{n // 250}.{n % 250 + 1}", payload_size="64B") for n in range(500)]
        async with asyncio.timeout(5), probe_run() as given:
            results = await asyncio.gather(*(probe(target, given) for target in targets))

        assert results == [Passed("echo reply")] * 500

    run(main())


def test_no_descriptor_is_our_own_fault() -> None:
    """A socket that cannot be opened says nothing about the server."""

    async def main() -> None:
        async with probe_run() as given:
            with no_descriptors_left():
                result = await probe(target("ping"), given)

        assert isinstance(result, Errored)
        assert result.reason is ErrorReason.NO_DESCRIPTORS

    run(main())
