"""The agent's side of one worker: whatever that worker says, the agent believes it about its checks alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvs_agent.checks.kinds import checkers
from lvs_agent.clock import ManualClock
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Target
from lvs_agent.model.workers import LossCause
from lvs_agent.workers.link import Link, Uplink
from lvs_agent.workers.protocol import HEADER, ROWS, Beat, Call, Cancel, Ping, Results, Row, encode

COUNT = 4
FLOOD = 100_000


def spec(number: int, kind: str = "tcp") -> CheckSpec:
    """A check once a second."""
    given_settings = {"command": ["/bin/true"]} if kind == "command" else {}
    target = Target(address=ip_address("127.0.0.1"), port=80, settings=checkers()[kind].settings(**given_settings))
    return CheckSpec(
        id=CheckId(f"{number:08x}"),
        kind=kind,
        target=target,
        interval_s=1.0,
        down_interval_s=1.0,
        timeout_s=1.0,
        rise=1,
        fall=1,
    )


@dataclass
class Heard:
    """What a link has passed on."""

    reports: list[CheckReport] = field(default_factory=list)
    calls: list[tuple[Call, CheckSpec]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)


@contextmanager
def a_link(*kinds: str) -> Iterator[tuple[Link, Heard, ManualClock]]:
    """A link with a check of each of these kinds."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    heard, clock = Heard(), ManualClock()
    uplink = Uplink(
        results=heard.reports.extend,
        call=lambda _, call, of: heard.calls.append((call, of)),
        cancel=lambda _, call: heard.cancelled.append(call),
        ended=lambda _: None,
    )

    async def made() -> Link:
        return Link(clock=clock, uplink=uplink)

    link = loop.run_until_complete(made())
    link.work(
        [(spec(number, kind), False) for number, kind in enumerate(kinds or ("tcp",) * COUNT)], (), continues=False
    )
    try:
        yield link, heard, clock
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def row(number: int, *, is_final: bool = False, ended_at: float = 1.0) -> Row:
    """The success of a check."""
    return (number, 0, "fine", None, None, None, ended_at, 0.5, 0.0, is_final)


def why(link: Link) -> LossCause | None:
    """Why the link has ended."""
    return link.ended.result()[0] if link.ended.done() else None


def test_results_of_its_checks_are_passed_on() -> None:
    """In their order, with the ids that the agent knows."""
    with a_link() as (link, heard, _):
        link.data_received(encode(Results([row(2), row(0)])))

        assert [report.check for report in heard.reports] == [spec(2).id, spec(0).id]
        assert why(link) is None


def test_worker_of_other_checks_is_not_believed() -> None:
    """Nothing of the message counts; what it said before does."""
    with a_link() as (link, heard, _):
        link.data_received(encode(Results([row(1)])) + encode(Results([row(0), row(COUNT)])))

        assert [report.check for report in heard.reports] == [spec(1).id]
        assert why(link) is LossCause.INVALID


def test_result_of_a_check_that_was_removed_is_left_out() -> None:
    """It was on its way: that is nobody's fault."""
    with a_link() as (link, heard, _):
        link.work([], [spec(1).id], continues=False)
        link.data_received(encode(Results([row(0), row(1)])))

        assert [report.check for report in heard.reports] == [spec(0).id]
        assert why(link) is None


def test_only_a_constant_check_has_a_final_result() -> None:
    """Or a worker could end checks for ever."""
    with a_link("none", "tcp") as (link, heard, _):
        link.data_received(encode(Results([row(0, is_final=True)])))
        assert [report.is_final for report in heard.reports] == [True]
        link.data_received(encode(Results([row(1, is_final=True)])))

        assert len(heard.reports) == 1
        assert why(link) is LossCause.INVALID


def test_result_from_the_future_is_from_now() -> None:
    """Its time is a metric, and ages are reckoned from it."""
    with a_link() as (link, heard, clock):
        link.data_received(encode(Results([row(0, ended_at=9e10)])))

        assert heard.reports[0].ended_at == clock.now()


def test_flood_ends_the_link() -> None:
    """More results than the checks can have, whatever they say; what waited while nobody read is not one."""
    with a_link() as (link, heard, _):
        message = encode(Results([row(0)] * ROWS))
        for _ in range(FLOOD // ROWS):
            link.data_received(message)

        assert why(link) is LossCause.INVALID
        assert 65_536 < len(heard.reports) < FLOOD


def test_usual_rate_is_no_flood() -> None:
    """An hour of checks, some of them run early."""
    with a_link() as (link, heard, clock):
        for _ in range(3_600):
            clock.advance(1.0)
            link.data_received(encode(Results([row(number) for number in range(COUNT)] * 3)))

        assert why(link) is None
        assert len(heard.reports) == 3_600 * COUNT * 3


def test_messages_that_are_none_end_the_link() -> None:
    """Nothing more of the stream counts."""
    with a_link() as (link, heard, _):
        link.data_received(b"\x00\x00\x00\x01\xc1" + encode(Results([row(0)])))

        assert (why(link), heard.reports) == (LossCause.INVALID, [])
        link.data_received(encode(Results([row(0)])))
        assert heard.reports == []


MESSAGES = (
    st.builds(
        lambda numbers, final: Results([row(number, is_final=final) for number in numbers]),
        st.lists(st.integers(0, COUNT + 1), max_size=5),
        st.booleans(),
    )
    | st.builds(Beat, *(st.integers(0, 9),) * 4, st.floats(0, 9))
    | st.builds(Call, st.integers(0, 3), st.integers(0, COUNT + 1), st.booleans(), st.none() | st.floats(0, 9))
    | st.builds(Cancel, st.integers(0, 3))
    | st.builds(Ping)
)
ANYTHING = st.none() | st.integers(-9, 9) | st.floats() | st.text(max_size=5) | st.lists(st.integers(0, 9))
BYTES = st.one_of(
    MESSAGES.map(encode),
    st.binary(max_size=40),
    st.binary(max_size=40).map(lambda data: len(data).to_bytes(HEADER) + data),
    st.lists(
        st.none() | st.integers(-9, 9) | st.floats() | st.text(max_size=5) | st.lists(st.integers(0, 9)), max_size=6
    )
    .map(msgspec.msgpack.encode)
    .map(lambda data: len(data).to_bytes(HEADER) + data),
)


@settings(max_examples=300)
@given(st.lists(BYTES, max_size=12), st.lists(st.integers(0, COUNT - 1), max_size=2))
def test_mad_worker_reaches_only_its_own_checks(said: list[bytes], removed: list[int]) -> None:
    """It is believed about them, or not believed any more; nothing is raised, and nothing grows."""
    with a_link() as (link, heard, _):
        link.work([], {spec(number).id for number in removed}, continues=False)
        for data in said:
            link.data_received(data)
        own: set[Any] = {spec(number).id for number in range(COUNT) if number not in removed}

        assert {report.check for report in heard.reports} <= own
        assert {of.id for _, of in heard.calls} <= own
        assert why(link) in {None, LossCause.INVALID}


@pytest.mark.parametrize("kind", ["tcp", "none"])
def test_call_of_a_check_that_runs_no_program_is_passed_on_with_its_check(kind: str) -> None:
    """Whoever runs programs decides; see there."""
    with a_link(kind) as (link, heard, _):
        link.data_received(encode(Call(0, 0, doubtful=False, waited_s=None)))

        assert [of.kind for _, of in heard.calls] == [kind]
