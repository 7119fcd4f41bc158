"""What the agent and a check worker say to each other, over a stream socket.

Each message is a frame: its length in four bytes (big-endian), then the message.  Down, from the agent to the worker,
go pickled tuples: the worker trusts the agent.  Up go arrays in MessagePack whose types, lengths and ranges are checked
when they are decoded: what a worker says is input like any other, because a server may have taken it over.

Checks have numbers, counted from 0 for each worker in the order in which they were sent to it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from lvs_agent.model.check import (
    CheckReport,
    CheckResult,
    CheckSpec,
    Disconnection,
    Errored,
    ErrorReason,
    Failed,
    FailureReason,
    HttpFacts,
    Passed,
)
from lvs_agent.one_line import one_line

HEADER = 4
FRAME_LIMIT = 1 << 23
"""Most bytes of a message of a worker; the longest results that it may send take six millions."""
ROWS = 500
"""Results in one message at most."""
DETAIL_LIMIT = 2_000
"""Characters of the detail of a result; the rest is cut off by the worker."""

_PHRASE_LIMIT = 1_000
_LATEST_S = 1e11
"""The largest time that a worker may name, in seconds since 1970, certificates included."""
_LONGEST_S = 1e8
_FAILURES = tuple(FailureReason)
_ERRORS = tuple(ErrorReason)
_FAILURE_OF = {reason: 1 + place for place, reason in enumerate(_FAILURES)}
_ERROR_OF = {reason: -1 - place for place, reason in enumerate(_ERRORS)}
_DISCONNECTIONS = (None, *Disconnection)

_Number = Annotated[int, Meta(ge=0, lt=1 << 32)]
_Count = Annotated[int, Meta(ge=0, le=1 << 24)]
_Span = Annotated[float, Meta(ge=0.0, le=_LONGEST_S)]
_Http = tuple[
    Annotated[int, Meta(ge=-(1 << 31), lt=1 << 31)] | None,
    Annotated[str, Meta(max_length=_PHRASE_LIMIT)],
    Annotated[int, Meta(ge=0, lt=len(_DISCONNECTIONS))],
]
Row = tuple[
    _Number,
    Annotated[int, Meta(ge=-len(_ERRORS), le=len(_FAILURES))],
    Annotated[str, Meta(max_length=DETAIL_LIMIT)],
    Annotated[float, Meta(ge=-_LATEST_S, le=_LATEST_S)] | None,
    Annotated[int, Meta(ge=0, le=1_000)] | None,
    _Http | None,
    Annotated[float, Meta(ge=0.0, le=_LATEST_S)],
    _Span,
    _Span,
    bool,
]
"""A result: number of the check; 0 passed, above 0 the reason of a failure, below 0 of an error; detail; end of the
certificate; requested percent of the weight; facts of HTTP; when it ended, how long it took, how late it started;
whether it is final.
"""


class Results(Struct, frozen=True, array_like=True, tag=0):
    """Results of probes, in the order in which they ended."""

    rows: Annotated[list[Row], Meta(max_length=ROWS)]


class Beat(Struct, frozen=True, array_like=True, tag=1):
    """The worker's loop turns.  What it runs, as ``model.check.Load`` has it, commands left out."""

    in_flight: _Count
    pending: _Count
    threads: _Count
    threads_queued: _Count
    thread_oldest_s: _Span


class Call(Struct, frozen=True, array_like=True, tag=2):
    """Run the command of a check; ``call`` is a number for this run.  ``doubtful``: its last run
    hung.  ``waited_s``: seconds since it last ran, None if it never did; the one that waited longest comes first.
    """

    call: _Number
    check: _Number
    doubtful: bool
    waited_s: _Span | None


class Cancel(Struct, frozen=True, array_like=True, tag=3):
    """Kill a command, with all that it has started."""

    call: _Number


class Ping(Struct, frozen=True, array_like=True, tag=4):
    """The worker waits for a command, and asks whether the agent still answers: it may have been stopped."""


Said = Results | Beat | Call | Cancel | Ping

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)


class NotUnderstood(ValueError):
    """A worker sent something that none sends."""


def encode(message: Said) -> bytes:
    """A frame for the agent."""
    return _framed(_ENCODER.encode(message))


def decode(message: bytes | memoryview) -> Said:
    """The message of a worker.  Raises NotUnderstood for everything that is not one, whatever it is."""
    try:
        return _DECODER.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise NotUnderstood(str(problem)) from problem


def row_of(number: int, report: CheckReport) -> Row:
    """``report`` as a row."""
    result = report.result
    detail = _text(result.detail, DETAIL_LIMIT)
    times = max(0.0, report.ended_at), max(0.0, report.duration_s), max(0.0, report.delay_s), report.is_final
    match result:
        case Passed():
            http = _http_row(result.http)
            return number, 0, detail, result.certificate_not_after, result.weight_percent, http, *times
        case Failed():
            code = _FAILURE_OF[result.reason]
            return number, code, detail, result.certificate_not_after, None, _http_row(result.http), *times
        case Errored():
            return number, _ERROR_OF[result.reason], detail, None, None, None, *times


def result_of(row: Row) -> CheckResult:
    """The result in a row.  Its texts are one line that can be printed, whatever the worker sent."""
    _, code, detail, not_after, weight, http, *_ = row
    if not detail.isprintable():
        detail = one_line(detail, instead="?")
    if code < 0:
        return Errored(_ERRORS[-1 - code], detail)
    facts = None if http is None else _http_facts(*http)
    if code > 0:
        return Failed(_FAILURES[code - 1], detail, not_after, facts)
    return Passed(detail, not_after, weight, facts)


def _text(text: str, limit: int) -> str:
    """The beginning of ``text``, with "?" for what has no encoding."""
    text = text[:limit]
    return text if text.isascii() else text.encode(errors="replace").decode()


def _http_row(facts: HttpFacts | None) -> tuple[int | None, str, int] | None:
    if facts is None:
        return None
    return facts.status, _text(facts.phrase, _PHRASE_LIMIT), _DISCONNECTIONS.index(facts.disconnection)


def _http_facts(status: int | None, phrase: str, disconnection: int) -> HttpFacts:
    if not phrase.isprintable():
        phrase = one_line(phrase, instead="?")
    return HttpFacts(status, phrase, _DISCONNECTIONS[disconnection])


# --- down -------------------------------------------------------------------------------------------------------------


class Work(NamedTuple):
    """One of the messages that change the checks of a worker; the changes apply with the ``last`` of them.

    ``added``: number, check, and whether the check is down.  ``continues``: the checks ran in another worker before, so
    they keep their times and do not all run at once.  ``files``: contents of files that the worker may not read.
    """

    added: list[tuple[int, CheckSpec, bool]]
    removed: list[int]
    files: dict[str, bytes]
    continues: bool
    last: bool


class Down(NamedTuple):
    """A check is down, or no longer."""

    check: int
    down: bool


class Started(NamedTuple):
    """A command was started; ``waited``: it had to wait for a place."""

    call: int
    waited: bool


class Silent(NamedTuple):
    """Nothing is known of a command, because the runner does not answer; or ``silent`` is False, and it does again."""

    call: int
    silent: bool


class Answer(NamedTuple):
    """A command has ended, or could not be started; ``ended`` is a tuple of the fields of ``Ended``, an ``errno`` with
    its message, or None if the runner was lost.
    """

    call: int
    ended: tuple[int | None, int | None, str] | tuple[int, str] | None


class Pong(NamedTuple):
    """The answer to ``Ping``."""


Order = Work | Down | Started | Silent | Answer | Pong


def order(message: Order) -> bytes:
    """A frame for a worker."""
    return _framed(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))


def understood(message: bytes) -> Any:
    """The message of the agent, in the worker."""
    return pickle.loads(message)  # noqa: S301 - the agent's own


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(HEADER) + message


class Frames:
    """Takes a stream apart.  ``limit``: most bytes of a message."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that ``data`` completes.  Raises NotUnderstood at one that is too long."""
        self._received += data
        at, received = 0, self._received
        try:
            while len(received) - at >= HEADER:
                length = int.from_bytes(received[at : at + HEADER])
                if length > self._limit:
                    raise NotUnderstood(f"a message of {length} bytes")
                end = at + HEADER + length
                if len(received) < end:
                    break
                yield bytes(received[at + HEADER : end])
                at = end
        finally:
            del received[:at]


def batches(rows: list[Row]) -> Iterable[list[Row]]:
    """``rows`` in the portions of one message."""
    return (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))
