"""A dialogue in lines with a text server: SMTP, POP3, IMAP, NNTP, FTP, Redis and the like.

``converse`` opens the connection, calls the dialogue of the probe, and converts every error to a result.  Reading is
limited: a line to ``LINE_LIMIT``, a whole probe to ``TOTAL_LIMIT`` and ``LINES_LIMIT``.  The engine enforces the
deadline.  Everything here awaits only the poller, so that a checker may be ``INLINE``.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from lvs_agent.checks.net.connection import Connection, endpoint_of
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import ContextUnusable, TlsSettings, failure_of, start_tls
from lvs_agent.model.check import CheckResult, Errored, Failed, FailureReason, Passed, Target
from lvs_agent.one_line import one_line

LINE_LIMIT = 8_192
"""Longest line that is accepted, in bytes; RFC 5321 requires 512, IMAP servers send some thousand."""
TOTAL_LIMIT = 262_144
"""Most that is read in one probe, in bytes."""
LINES_LIMIT = 4_096
"""Most lines that are read in one probe: very short ones cost the most time for their bytes."""
_SHOWN = 160
_HIDDEN = "***"


class Reply(NamedTuple):
    """A numbered reply (RFC 5321, 4.2): its code, and the text of its lines without the code."""

    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return printable(self.words)

    @property
    def words(self) -> str:
        """The code and the last line, as the server sent them."""
        return f"{self.code} {self.lines[-1]}".rstrip()


class CheckFailed(Exception):
    """The server's answer ends the dialogue.  ``result`` is the result of the probe."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.result = Failed(reason, detail)


class Dialogue:
    """Lines in both directions.  Every method may raise CheckFailed, OSError, ssl.SSLError and ContextUnusable.

    ``certificate_not_after``: when the server's certificate expires, once TLS is spoken.
    """

    def __init__(self, connection: Connection, target: Target, run: ProbeRun) -> None:
        self.target = target
        self.run = run
        self.certificate_not_after: float | None = None
        self._connection = connection
        self._buffer = bytearray()
        self._read = 0
        self._lines = 0
        self._secrets: list[str] = []

    @property
    def own_address(self) -> tuple[str, int]:
        """The local address and port, for protocols that send them in their messages."""
        return self._connection.own_address

    def hide(self, *secrets: str) -> None:
        """Keep ``secrets``, which are sent to the server, out of the texts that ``shown`` returns."""
        self._secrets += (secret for secret in secrets if secret)

    def shown(self, words: str) -> str:
        """The server's words as they may appear in a result."""
        for secret in self._secrets:
            words = words.replace(secret, _HIDDEN)
        return printable(words)

    async def line(self, *, of: str) -> bytes:
        """The next line without its end.  ``of`` says what it belongs to, for the result if it does not come."""
        self.run.progress.waiting_for = of
        while (end := self._buffer.find(b"\n", 0, LINE_LIMIT + 1)) < 0:
            if len(self._buffer) > LINE_LIMIT:
                raise CheckFailed(FailureReason.PROTOCOL, f"{of}: a line is longer than {LINE_LIMIT} bytes")
            await self._more(of)
        self._lines += 1
        if self._lines > LINES_LIMIT:
            raise CheckFailed(FailureReason.PROTOCOL, f"{of}: more than {LINES_LIMIT} lines")
        return self._taken(end + 1).removesuffix(b"\n").removesuffix(b"\r")

    async def exactly(self, count: int, *, of: str) -> bytes:
        """The next ``count`` bytes (at most ``TOTAL_LIMIT``)."""
        self.run.progress.waiting_for = of
        while len(self._buffer) < count:
            await self._more(of)
        return self._taken(count)

    async def some(self, *, of: str) -> bytes:
        """Wait for bytes that were not read yet and return them; empty if the server has closed."""
        self.run.progress.waiting_for = of
        if not self._buffer:
            await self._take(of)
        return self._taken(len(self._buffer))

    async def reply(self, *, of: str) -> Reply:
        """The next complete numbered reply; ``250-`` continues it, ``250 `` ends it."""
        first = (await self.line(of=of)).decode("utf-8", "replace")
        code = _code(first)
        if code is None:
            raise CheckFailed(FailureReason.PROTOCOL, f"{of}: not a reply: {self.shown(first) or 'an empty line'}")
        lines = [first[4:]]
        last = first
        while last[3:4] == "-" or _code(last) != code:  # RFC 959, 4.2: the lines between need no code
            last = (await self.line(of=of)).decode("utf-8", "replace")
            lines.append(last[4:] if _code(last) == code else last)
        return Reply(code, tuple(lines))

    async def expect(self, *codes: int, of: str, refused: FailureReason = FailureReason.STATUS) -> Reply:
        """The next reply, whose code (or its first digit, where one is given) must be among ``codes``."""
        reply = await self.reply(of=of)
        if reply.code not in codes and reply.code // 100 not in codes:
            raise CheckFailed(refused, f"{of}: {self.shown(reply.words)}")
        return reply

    async def send(self, text: str | bytes) -> None:
        """Send a line; its end is added."""
        data = text.encode() if isinstance(text, str) else text
        await self._connection.send(data + b"\r\n", then="an answer")

    async def send_raw(self, data: bytes) -> None:
        """Send ``data`` as it is."""
        await self._connection.send(data, then="an answer")

    async def leave(self, command: str) -> None:
        """Send ``command``, so that the server sees an orderly end; any answer is fine, or none."""
        with suppress(CheckFailed, OSError):
            await self.send(command)
            await self.line(of="goodbye")

    def end_sending(self) -> None:
        """Show the server that nothing more will be sent; not over TLS."""
        self._connection.end_sending()

    async def start_tls(self, settings: TlsSettings) -> None:
        """Start TLS.  Unread plain text from the server is treated as an attack, and ends the dialogue."""
        if self._buffer:
            raise CheckFailed(FailureReason.PROTOCOL, "the server sent more than its answer before TLS began")
        self.certificate_not_after = await start_tls(
            self._connection, settings, server_name=settings.server_name, address=self.target.address, alpn=()
        )

    def _taken(self, count: int) -> bytes:
        """Remove and return the first ``count`` bytes; deleting from the front of a bytearray copies nothing."""
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _more(self, of: str) -> None:
        if not await self._take(of):
            raise CheckFailed(FailureReason.PROTOCOL, f"{of}: the server has closed the connection")

    async def _take(self, of: str) -> bool:
        """Wait for more bytes; False if the server has closed."""
        data = await self._connection.receive()
        self._read += len(data)
        if self._read > TOTAL_LIMIT:
            raise CheckFailed(FailureReason.PROTOCOL, f"{of}: more than {TOTAL_LIMIT} bytes")
        self._buffer += data
        return bool(data)


def _code(line: str) -> int | None:
    """The code at the start of a line of a numbered reply, or None if there is none."""
    number = line[:3]
    fits = len(number) == 3 and number.isascii() and number.isdigit() and line[3:4] in {"", " ", "-"}
    return int(number) if fits else None


Talk = Callable[[Dialogue], Awaitable[Passed | Failed]]


async def converse(target: Target, run: ProbeRun, talk: Talk, *, tls: TlsSettings | None = None) -> CheckResult:
    """The result of ``talk`` over a new connection, with TLS from its start where ``tls`` is given."""
    try:
        with Connection(run.cached(endpoint_of, target.address, target.port or 0), run) as connection:
            dialogue = Dialogue(connection, target, run)
            await connection.connected()
            result = await _outcome(dialogue, talk, tls)
    except OSError as problem:  # it could not be opened
        return outcome_of(problem)
    if isinstance(result, Errored):
        return result
    return replace(result, certificate_not_after=dialogue.certificate_not_after)


async def _outcome(dialogue: Dialogue, talk: Talk, tls: TlsSettings | None) -> CheckResult:
    try:
        if tls is not None:
            await dialogue.start_tls(tls)
        return await talk(dialogue)
    except CheckFailed as end:
        return end.result
    except ContextUnusable as problem:
        return problem.result
    except ssl.SSLError as problem:
        return failure_of(problem)
    except OSError as problem:
        return outcome_of(problem)


def printable(text: str) -> str:
    """``text`` as one printable line for a log, shortened if it is long."""
    return one_line(text[:_SHOWN], instead="?")
