from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lvs_agent.checks.kinds.http.response import HEAD_LIMIT, ProtocolViolation, ResponseReader

LIMIT = 1_000


def read(pieces: Iterable[bytes], *, close: bool = True, limit: int = LIMIT, has_body: bool = True) -> ResponseReader:
    """A reader that was fed ``pieces``, and told of the close where it still wanted more."""
    reader = ResponseReader(body_limit=limit, has_body=has_body)
    for piece in pieces:
        if reader.complete:
            break
        reader.feed(piece)
    if close and not reader.complete:
        reader.finish()
    return reader


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """``data`` in pieces."""
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


cuts = st.lists(st.integers(0, 2_000), max_size=30)


@given(st.binary(max_size=3_000), cuts)
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", [])
@example(b"HTTP/1.1 200 OK\nContent-Length: " + "²".encode() + b"\n\n", [])
def test_arbitrary_bytes_never_raise_anything_but_a_violation(data: bytes, at: list[int]) -> None:
    """Whatever a server sends, the reader ends in a response or in a violation, and holds no more than its limits."""
    reader = ResponseReader(body_limit=LIMIT)
    with suppress(ProtocolViolation):
        for piece in split(data, at):
            reader.feed(piece)
        reader.finish()

    assert len(reader.body) <= LIMIT


heads = st.lists(
    st.sampled_from(
        [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404\n", b"HTTP/1.1 100 Continue\r\n", b"Content-Length: 5\r\n",
         b"Content-Length: 5, 5\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"\n",
         b"5\r\nhello\r\n", b"0\r\n\r\n", b"5;x=y\r\nhel", b"\0", b":\r\n", b"A: b\r\n c\r\n"]
    ),
    max_size=40,
)  # fmt: skip


@given(heads, cuts)
def test_pieces_do_not_matter(parts: list[bytes], at: list[int]) -> None:
    """The same bytes give the same response however they are cut."""
    data = b"".join(parts)
    assert outcome([data]) == outcome(split(data, at))


def outcome(pieces: list[bytes]) -> object:
    """What reading comes to."""
    try:
        reader = read(pieces)
    except ProtocolViolation:
        return "violation"
    return reader.status, reader.head, reader.body


@given(st.binary(max_size=LIMIT), cuts, st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_chunked_body_is_put_together(body: bytes, at: list[int], sizes: list[int]) -> None:
    """A chunked body is what was chunked, however chunks and packets are cut."""
    chunks, rest = b"", body
    for size in (*sizes, LIMIT):
        chunk, rest = rest[:size], rest[size:]
        if chunk:
            chunks += f"{len(chunk):x}".encode() + b"\r\n" + chunk + b"\r\n"
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    assert read(split(wire, at), close=False, limit=2 * LIMIT).body == body


@pytest.mark.parametrize(
    ("wire", "status", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntestmore", 200, b"test", id="content length"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end", id="until the close"),
        pytest.param(b"HTTP/1.1 404\r\ncontent-length:0\r\n\r\n", 404, b"", id="no reason phrase"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, b"ok", id="bare line feeds"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\n\r\n",
            201, b"", id="interim responses",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, b"", id="204 has no body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", 200, b"ok", id="same length twice"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 99\r\n\r\n2;x=y\r\nok\r\n0\r\n",
            200, b"ok", id="chunked wins over a length",
        ),
    ],
)  # fmt: skip
def test_response_is_read(wire: bytes, status: int, body: bytes) -> None:
    """Responses that servers really send."""
    reader = read([wire])

    assert (reader.status, reader.body) == (status, body)


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        pytest.param(b"", "connection closed without a response", id="nothing"),
        pytest.param(b"HTTP/1.1 200", "connection closed within the headers", id="half a line"),
        pytest.param(b"SSH-2.0-OpenSSH_9\r\n", "not an HTTP/1 response: 'SSH-2.0-OpenSSH_9\\r\\n'", id="SSH"),
        pytest.param(b"HTTP/2 200\r\n\r\n", "not an HTTP/1 response: 'HTTP/2 200\\r\\n\\r\\n'", id="HTTP/2"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", "not an HTTP/1 status line: 'HTTP/1.1 abc OK\\r\\n\\r\\n'", id="no"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", "not an HTTP/1 status line: 'HTTP/1.1 2000 OK\\r\\n\\r\\n'", id="2k"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour", "connection closed after 4 bytes of a longer body",
            id="body too short",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx", "not a content length: '1, 2'", id="two"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer coding that was not asked for: 'gzip'",
            id="gzip",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "not a chunk size: 'xyz\\r'", id="size"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n", "chunk longer than its size",
            id="chunk too long",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 2_000, "endless line in a chunked body",
            id="endless chunk size",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_LIMIT, "headers longer than 32768 bytes", id="long head"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000, "interim responses longer than 32768 bytes", id="endless interim"
        ),
    ],
)  # fmt: skip
def test_violation_is_told(wire: bytes, message: str) -> None:
    """The error shows what came instead of a response."""
    with pytest.raises(ProtocolViolation) as raised:
        read([wire])

    assert str(raised.value) == message


def test_body_is_not_wanted_so_the_head_is_enough() -> None:
    """Without a test of the body nothing of it is read."""
    reader = read([b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"], close=False, limit=0)

    assert reader.complete
    assert reader.body == b""


def test_reading_stops_at_the_limit() -> None:
    """A longer body is read up to the limit and counts as read."""
    reader = read([b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000], close=False)

    assert reader.complete
    assert len(reader.body) == LIMIT


def test_response_to_head_has_no_body() -> None:
    """The length in a response to HEAD is that of a body which does not come."""
    assert read([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"], close=False, has_body=False).complete


def test_header_is_found_by_any_case() -> None:
    """Names of headers have no case, and several lines are one list."""
    reader = read([b"HTTP/1.1 302 Found\r\nLOCATION:  /a b \r\nx-a: 1\r\nX-A: 2\r\nContent-Length: 0\r\n\r\n"])

    assert reader.header("location") == "/a b"
    assert reader.header("x-a") == "1, 2"
    assert reader.header("missing") is None


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        pytest.param(b"HTTP/1.1 503 Backend fetch failed", "Backend fetch failed", id="several words"),
        pytest.param(b"HTTP/1.1 200", "", id="none"),
        pytest.param(b"HTTP/1.1 200 ", "", id="a blank"),
        pytest.param(b"HTTP/1.1 404 \x1b[31mNot\tFound\xff", "?[31mNot?Found\ufffd", id="nothing unprintable"),
        pytest.param(b"HTTP/1.1 500 " + b"x" * 1_000, "x" * 115, id="long"),
    ],
)
def test_phrase_is_the_servers_own(line: bytes, phrase: str) -> None:
    """What the server calls its status is there to be shown, whatever it sends."""
    assert read([line + b"\r\n\r\n"]).phrase == phrase
