from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest

from lvs_agent.checks.net.datagram import FIRST_RESEND_S, Question, ask
from lvs_agent.checks.net.progress import Stage
from lvs_agent.model.check import Target
from lvs_agent.settings.check import CheckSettings
from tests.checks.datagram_servers import flooding_with, hearing, refusing_port, silent
from tests.checks.servers import descriptors, probe_run, run


def target(port: int, *, address: str = "127.0.0.1") -> Target:
    """Where to ask."""
    return Target(address=ip_address(address), port=port, settings=CheckSettings())


def wanted(datagram: bytes) -> str | None:
    """Only what begins with ``yes``."""
    return datagram.decode() if datagram.startswith(b"yes") else None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_first_accepted_datagram_is_the_answer(address: str) -> None:
    """What is not accepted is passed over, whatever came before, an empty datagram too."""

    async def main() -> None:
        async with (
            hearing(lambda _: [b"no", b"", b"yes 1", b"yes 2"], address=address) as (port, heard),
            probe_run() as given,
        ):
            assert await ask(target(port, address=address), given, b"question", wanted) == "yes 1"
            assert heard == [b"question"]

    run(main())


def test_question_is_asked_again_until_there_is_an_answer() -> None:
    """A lost datagram costs a third of a second, not the whole check."""
    asked = 0

    def third(_: bytes) -> list[bytes]:
        nonlocal asked
        asked += 1
        return [b"yes"] if asked == 3 else []

    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with hearing(third) as (port, _), probe_run() as given:
            begin = loop.time()
            assert await ask(target(port), given, b"", wanted) == "yes"
            return loop.time() - begin

    assert run(main()) >= 3 * FIRST_RESEND_S, "after one time, and then after twice as much"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_closed_port_is_refused(address: str) -> None:
    """The ICMP error of a host without the port arrives as an error of the socket."""

    async def main() -> None:
        async with probe_run() as given:
            with pytest.raises(ConnectionRefusedError):
                await ask(target(refusing_port(address=address), address=address), given, b"question", wanted)

    run(main())


def test_question_may_depend_on_where_it_is_sent_from() -> None:
    """Protocols such as SIP write the address into the question, and answer there."""

    def question(host: str, port: int) -> bytes:
        return f"{host} {port}".encode()

    async def main() -> None:
        async with hearing(lambda data: [b"yes " + data]) as (port, _), probe_run() as given:
            host, sender = (await ask(target(port), given, question, wanted)).split()[1:]

        assert host == "127.0.0.1"
        assert int(sender) not in (0, port)

    run(main())


def test_others_are_not_heard() -> None:
    """A datagram from another address or port is not an answer."""

    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

            def elsewhere(data: bytes) -> list[bytes]:
                stranger.sendto(b"yes, says a stranger", ("127.0.0.1", int(data)))
                return [b"yes, says the server"]

            async with hearing(elsewhere) as (port, _), probe_run() as given:
                assert (
                    await ask(target(port), given, lambda _, own: str(own).encode(), wanted) == "yes, says the server"
                )

    run(main())


def test_silence_is_the_servers() -> None:
    """UDP has no connection to wait for, so that whoever runs out of time has waited for the answer."""

    async def main() -> None:
        at = None
        async with hearing(silent) as (port, _), probe_run() as given:
            at = target(port)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(at, given, b"question", wanted), 0.05)

        assert (given.progress.stage, given.progress.waiting_for) == (Stage.CONNECTED, "an answer")

    run(main())


def test_flood_keeps_nobody_waiting() -> None:
    """However much comes that is not an answer, the loop goes on with other things and the deadline holds."""

    async def main() -> None:
        async with flooding_with(b"no") as port, probe_run() as given:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(target(port), given, b"question", wanted), 0.1)

    run(main())


@pytest.mark.parametrize("question", [b"question", b"x" * 65_508, lambda _host, _port: b"question"])
def test_nothing_is_left(question: Question) -> None:
    """Socket and timer are given back when it is cancelled, and when the question cannot be sent at all."""

    async def main() -> None:
        async with hearing(silent) as (port, _), probe_run() as given:
            with pytest.raises((TimeoutError, OSError)):
                await asyncio.wait_for(ask(target(port), given, b"question", wanted), 0.02)
            before = descriptors()
            with pytest.raises((TimeoutError, OSError)):
                await asyncio.wait_for(ask(target(port), given, question, wanted), 0.02)

            assert descriptors() == before

    run(main())


def test_too_long_a_question_is_told() -> None:
    """No datagram of IP takes it."""

    async def main() -> Any:
        async with hearing(silent) as (port, _), probe_run() as given:
            return await ask(target(port), given, b"x" * 65_508, wanted)

    with pytest.raises(OSError, match="Message too long"):
        run(main())
