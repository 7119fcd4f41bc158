"""Reading one HTTP/1 response (RFC 9112), without I/O and with a limit on everything.

Strict where a wrong guess would turn garbage into a healthy server, lenient where servers are known to be sloppy
(bare line feeds, unknown header lines).
"""

from __future__ import annotations

import re
from enum import Enum

from lvs_agent.one_line import one_line

HEAD_LIMIT = 32_768
"""Bytes that the status line, the headers and any interim responses may have together."""

_PHRASE_LIMIT = 128
"""Bytes of the status line that are looked at for its phrase."""

_LINE_LIMIT = 1_024
"""Bytes of a chunk's size line."""

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: [^\r\n]*)?\r?\n")
_HEAD_END = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?")
_WHOLE_HEAD = re.compile(rb"HTTP/1\.[01] ([2-9]\d\d)(?: [^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n")
_STATUSES_WITHOUT_BODY = frozenset({204, 205, 304})


class ProtocolViolation(Exception):
    """What the server sent is not an HTTP response.  The message is one line for a person."""


class NoResponse(ProtocolViolation):
    """The server closed the connection before the first byte of a response."""


class _Part(Enum):
    HEAD = "head"
    SIZED = "sized"
    CHUNK_SIZE = "chunk size"
    CHUNK = "chunk"
    CHUNK_END = "chunk end"
    UNTIL_CLOSE = "until close"
    DONE = "done"


class ResponseReader:
    """Feed it what arrives until ``complete``.  ``body_limit``: bytes of the body to read (0: none).

    ``has_body`` is False for the response to a HEAD request.  Interim responses (1xx) are skipped.
    """

    __slots__ = ("_body", "_buffer", "_limit", "_part", "_remaining", "_seen", "_wants_body", "head", "status")

    def __init__(self, *, body_limit: int, has_body: bool = True) -> None:
        self._limit = body_limit
        self._wants_body = has_body and body_limit > 0
        self._buffer = b""
        self._seen = 0
        self._body = bytearray()
        self._part = _Part.HEAD
        self._remaining = 0
        self.status = 0
        self.head = b""
        """Status line and headers of the final response, line ends included."""

    @property
    def complete(self) -> bool:
        """Nothing more is needed: the response is over, or the limit of the body is reached."""
        return self._part is _Part.DONE

    @property
    def body(self) -> bytes:
        """What was read of the body, decoded; never more than the limit."""
        return bytes(self._body)

    @property
    def phrase(self) -> str:
        """What the server calls its status, printable and not too long; empty where it does not say."""
        words = self.head[:_PHRASE_LIMIT].partition(b"\n")[0].split(maxsplit=2)[2:]
        text = b" ".join(words).decode("utf-8", "replace").strip()
        return one_line(text, instead="?")

    def take(self, data: bytes) -> bool:
        """Take what came, nothing meaning that the server has closed; whether nothing more is needed.

        Raises ProtocolViolation.
        """
        if not self._wants_body and self._part is _Part.HEAD and not self._buffer:
            # what nearly every server sends, all headers at once, where the body does not matter
            whole = _WHOLE_HEAD.match(data, 0, HEAD_LIMIT)
            if whole is not None:
                self.head, self.status, self._part = whole[0], int(whole[1]), _Part.DONE
                return True
        if data:
            self.feed(data)
        else:
            self.finish()
        return self._part is _Part.DONE

    def feed(self, data: bytes) -> None:
        """Take the next bytes.  Raises ProtocolViolation."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._part is not _Part.DONE and self._step():
            pass
        if self._part is _Part.DONE:
            self._buffer = b""

    def finish(self) -> None:
        """The server has closed.  Raises ProtocolViolation where the response is not over."""
        if self._part is _Part.HEAD:
            if not self._buffer and not self._seen:
                raise NoResponse("connection closed without a response")
            raise ProtocolViolation("connection closed within the headers")
        if self._part not in (_Part.UNTIL_CLOSE, _Part.DONE):
            raise ProtocolViolation(f"connection closed after {len(self._body)} bytes of a longer body")
        self._part = _Part.DONE

    def header(self, name: str) -> str | None:
        """The value of a header (a name in lower case), or None.  Several lines are joined with a comma."""
        values = re.findall(rb"(?im)^%s:[ \t]*([^\r\n]*?)[ \t]*\r?$" % re.escape(name.encode("ascii")), self.head)
        return b", ".join(values).decode("latin-1") if values else None

    def _step(self) -> bool:
        """Use up some of the buffer; False where more bytes are needed."""
        match self._part:
            case _Part.HEAD:
                return self._read_head()
            case _Part.CHUNK_SIZE:
                return self._read_chunk_size()
            case _Part.CHUNK_END:
                return self._read_chunk_end()
            case _:
                return self._read_body()

    def _read_head(self) -> bool:
        buffer = self._buffer
        if not buffer.startswith(b"HTTP/1."[: len(buffer)]):
            raise ProtocolViolation(f"not an HTTP/1 response: {_shown(buffer)}")
        end = _HEAD_END.search(buffer, max(0, self._seen - 2))
        size = end.end() if end else len(buffer)
        if size > HEAD_LIMIT:
            raise ProtocolViolation(f"headers longer than {HEAD_LIMIT} bytes")
        if end is None:
            self._seen = size
            return False
        self._use_head(buffer[:size])
        self._buffer = buffer[size:]
        return True

    def _use_head(self, head: bytes) -> None:
        line = _STATUS_LINE.match(head)
        if line is None:
            raise ProtocolViolation(f"not an HTTP/1 status line: {_shown(head)}")
        status = int(line[1])
        if status < 200 and status != 101:
            self._skip(head)
            return
        self.head, self.status = head, status
        self._part = self._body_part() if self._wants_body and status not in _STATUSES_WITHOUT_BODY else _Part.DONE

    def _skip(self, interim: bytes) -> None:
        self._seen = 0
        self._remaining += len(interim)
        if self._remaining > HEAD_LIMIT:
            raise ProtocolViolation(f"interim responses longer than {HEAD_LIMIT} bytes")

    def _body_part(self) -> _Part:
        self._remaining = 0
        coding = self.header("transfer-encoding")
        if coding is not None:
            if coding.lower() != "chunked":
                raise ProtocolViolation(f"transfer coding that was not asked for: {_shown(coding.encode())}")
            return _Part.CHUNK_SIZE
        length = self.header("content-length")
        if length is None:
            return _Part.UNTIL_CLOSE
        self._remaining = _content_length(length)
        return _Part.SIZED if self._remaining else _Part.DONE

    def _read_body(self) -> bool:
        if not self._buffer:
            return False
        size = self._limit - len(self._body)
        if self._part is not _Part.UNTIL_CLOSE:
            size = min(size, self._remaining)
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        self._body += piece
        self._after(len(piece))
        return True

    def _after(self, size: int) -> None:
        """Choose the next part after ``size`` bytes of the body."""
        self._remaining -= size
        if len(self._body) >= self._limit:
            self._part = _Part.DONE
        elif self._part is not _Part.UNTIL_CLOSE and self._remaining == 0:
            self._part = _Part.DONE if self._part is _Part.SIZED else _Part.CHUNK_END

    def _read_chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise ProtocolViolation(f"not a chunk size: {_shown(line)}")
        self._remaining = int(match[1], 16)
        self._part = _Part.CHUNK if self._remaining else _Part.DONE
        return True

    def _read_chunk_end(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line.rstrip(b"\r"):
            raise ProtocolViolation("chunk longer than its size")
        self._part = _Part.CHUNK_SIZE
        return True

    def _line(self) -> bytes | None:
        """The next line without its line feed, or None where it has not arrived."""
        line, end, rest = self._buffer.partition(b"\n")
        if len(line) > _LINE_LIMIT:
            raise ProtocolViolation("endless line in a chunked body")
        if not end:
            return None
        self._buffer = rest
        return line


def _content_length(value: str) -> int:
    """The one length that ``value`` means; the same length several times counts as one (RFC 9110, 8.6)."""
    lengths = {part.strip() for part in value.split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit() and len(length) < 19):
        raise ProtocolViolation(f"not a content length: {_shown(value.encode())}")
    return int(length)


def _shown(data: bytes) -> str:
    """The beginning of ``data``, safe to print."""
    return ascii(data[:40].decode("latin-1"))
