"""What a worker says, and what the agent makes of it when it says anything else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.model.check import (
    CheckId,
    CheckReport,
    CheckResult,
    Disconnection,
    Errored,
    ErrorReason,
    Failed,
    FailureReason,
    HttpFacts,
    Passed,
)
from lvs_agent.workers.protocol import (
    DETAIL_LIMIT,
    FRAME_LIMIT,
    HEADER,
    ROWS,
    Beat,
    Call,
    Cancel,
    Frames,
    NotUnderstood,
    Ping,
    Results,
    Row,
    Work,
    batches,
    decode,
    encode,
    order,
    result_of,
    row_of,
    understood,
)

FINITE = st.floats(min_value=0.0, max_value=1e8)
LINE = st.text(
    st.characters(categories=("L", "N", "P", "Zs"), include_characters=" ").filter(str.isprintable), max_size=80
)
HTTP = st.none() | st.builds(
    HttpFacts,
    status=st.none() | st.integers(0, 999),
    phrase=LINE,
    disconnection=st.none() | st.sampled_from(Disconnection),
)
DATES = st.none() | st.floats(min_value=-1e9, max_value=1e10)
RESULTS: st.SearchStrategy[CheckResult] = (
    st.builds(Passed, LINE, DATES, st.none() | st.integers(0, 1_000), HTTP)
    | st.builds(Failed, st.sampled_from(FailureReason), LINE, DATES, HTTP)
    | st.builds(Errored, st.sampled_from(ErrorReason), LINE)
)
ROW: Row = (0, 0, "fine", None, None, None, 1.0, 0.5, 0.0, False)


def report(result: CheckResult) -> CheckReport:
    """One probe with that result."""
    return CheckReport(CheckId("a"), result, 1e9, 0.5, 0.25)


def row_with(**changed: Any) -> list[Any]:
    """A row with other values at the named places."""
    row: list[Any] = list(ROW)
    for place, value in changed.items():
        row[int(place.removeprefix("at"))] = value
    return row


@given(RESULTS)
def test_results_arrive_as_they_were(result: CheckResult) -> None:
    """Every result that a checker may give, with all its facts."""
    message = decode(encode(Results([row_of(7, report(result))]))[HEADER:])

    assert isinstance(message, Results)
    (row,) = message.rows
    assert (row[0], result_of(row), row[6:]) == (7, result, (1e9, 0.5, 0.25, False))


@pytest.mark.parametrize(
    "message",
    [
        Beat(1, 2, 3, 4, 0.5),
        Call(1, 2, doubtful=True, waited_s=None),
        Call(1, 2, doubtful=False, waited_s=0.5),
        Cancel(3),
        Ping(),
    ],
)
def test_other_messages_arrive_as_they_were(message: Beat | Call | Cancel | Ping) -> None:
    """They have no other form."""
    assert decode(encode(message)[HEADER:]) == message


def test_detail_is_cut_and_what_has_no_encoding_is_replaced() -> None:
    """A server decides about neither."""
    long = result_of(row_of(0, report(Passed("x" * 5_000))))
    strange = result_of(row_of(0, report(Passed("a\udc80b"))))

    assert long == Passed("x" * DETAIL_LIMIT)
    assert strange == Passed("a?b")


def test_lines_and_control_characters_of_a_worker_do_not_pass() -> None:
    """What it says goes into logs and pages as one line."""
    assert result_of((0, 0, "a\nb\x1b[0m", None, None, (200, "x\r\ny", 0), 0.0, 0.0, 0.0, False)) == Passed(
        "a?b?[0m", http=HttpFacts(200, "x??y")
    )


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row_with(at0=-1), id="number below 0"),
        pytest.param(row_with(at0=1 << 32), id="number too large"),
        pytest.param(row_with(at1=len(FailureReason) + 1), id="no such reason"),
        pytest.param(row_with(at1=-len(ErrorReason) - 1), id="no such error"),
        pytest.param(row_with(at2="x" * (DETAIL_LIMIT + 1)), id="long detail"),
        pytest.param(row_with(at2=b"x"), id="bytes"),
        pytest.param(row_with(at3=math.nan), id="certificate: no number"),
        pytest.param(row_with(at3=math.inf), id="certificate: never"),
        pytest.param(row_with(at4=1_001), id="weight"),
        pytest.param(row_with(at5=(200, "OK", 3)), id="no such disconnection"),
        pytest.param(row_with(at6=math.nan), id="ended: no number"),
        pytest.param(row_with(at7=-0.5), id="took less than nothing"),
        pytest.param(row_with(at7=math.inf), id="took for ever"),
        pytest.param(row_with(at8=math.nan), id="delay: no number"),
        pytest.param(row_with(at9=1), id="final: a number"),
        pytest.param(row_with()[:-1], id="short"),
        pytest.param([*ROW, 0], id="long"),
    ],
)
def test_impossible_row_is_not_understood(row: list[Any]) -> None:
    """Each place has its own range."""
    with pytest.raises(NotUnderstood):
        decode(msgspec.msgpack.encode([0, [row]]))


def test_too_many_rows_are_not_understood() -> None:
    """A message has a limit, too."""
    assert isinstance(decode(msgspec.msgpack.encode([0, [ROW] * ROWS])), Results)
    with pytest.raises(NotUnderstood):
        decode(msgspec.msgpack.encode([0, [ROW] * (ROWS + 1)]))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Whatever they are, they are a message or not understood."""
    with suppress(NotUnderstood):
        decode(data)


DEEP: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(st.integers(0, 4), st.lists(DEEP, max_size=5))
def test_no_message_raises_anything_else(tag: int, fields: list[Any]) -> None:
    """Well-formed MessagePack with the tags of messages and anything behind them."""
    try:
        message = decode(msgspec.msgpack.encode([tag, *fields]))
    except NotUnderstood:
        return
    for row in message.rows if isinstance(message, Results) else []:
        assert result_of(row).detail.isprintable()


def test_deeply_nested_message_is_not_understood() -> None:
    """It must not end the agent by its depth."""
    with pytest.raises(NotUnderstood):
        decode(b"\x92\x00" + b"\x91" * 100_000 + b"\xc0")


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 40))
def test_stream_is_taken_apart_however_it_arrives(messages: list[bytes], size: int) -> None:
    """Messages of any size, in portions of any size."""
    stream = b"".join(len(message).to_bytes(HEADER) + message for message in messages)
    frames = Frames(limit=50)
    found = [message for start in range(0, len(stream), size) for message in frames.feed(stream[start : start + size])]

    assert found == messages


def test_long_message_is_refused_before_it_has_arrived() -> None:
    """Its length is enough to know it."""
    frames = Frames(limit=FRAME_LIMIT)

    with pytest.raises(NotUnderstood):
        list(frames.feed((FRAME_LIMIT + 1).to_bytes(HEADER)))


def test_longest_results_fit_into_a_message() -> None:
    """A worker that tells the truth is never cut off."""
    row: Row = (0, 0, "\U0001f600" * DETAIL_LIMIT, 1.0, 1, (200, "\U0001f600" * 1_000, 0), 1.0, 1.0, 1.0, False)

    assert len(encode(Results([row] * ROWS))) <= FRAME_LIMIT


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1, 3 * ROWS])
def test_batches_have_every_row_once(count: int) -> None:
    """In their order."""
    rows: list[Row] = [(number, *ROW[1:]) for number in range(count)]
    parts: Iterable[list[Row]] = batches(rows)

    assert [row for part in parts for row in part] == rows


def test_order_arrives_as_it_was() -> None:
    """Pickled, because the worker trusts the agent."""
    work = Work([], [3], {"/a": b"b"}, continues=True, last=True)

    assert understood(order(work)[HEADER:]) == work
