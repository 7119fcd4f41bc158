"""What a pgsql check does with libpq: login, statements, and what their answers mean.

libpq says what it waits for, and goes on when that has come.  psycopg's own connections are not used: one that is
cancelled asks the server to cancel its query, and waits for that.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from psycopg import Error, pq
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, PollingStatus

from lvs_agent.checks.kinds._sql import Expectations, lag_fits, read_only_fits, row_fits
from lvs_agent.checks.kinds.pgsql.settings import Settings
from lvs_agent.checks.net.dialogue import CheckFailed
from lvs_agent.checks.net.lent_files import readable
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.poller import READ, READ_WRITE
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.checks.net.tls import ContextUnusable, TlsSettings, context_for
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target

Row = tuple[bytes | None, ...]

_RECEIVED_LIMIT = 16 * 1_048_576
"""Most that is taken from the network before a row is complete, in bytes."""
_BYTES_RECEIVED = slice(128, 136)
"""Where struct tcp_info has tcpi_bytes_received (linux/tcp.h)."""
_NOWHERE = "/nonexistent/lvs-agent"
"""For files that libpq would otherwise look for in the home directory."""
_REQUIRE_AUTH_SINCE = 160_000
_MOMENT_S = 0.05
"""Long enough for a standby that keeps up to replay what it is just receiving."""

_SERVERS = re.compile(r"(?:FATAL|ERROR|PANIC): +(.*)")
_FAILED = re.compile(r'^connection to server at "[^"]*"(?: \([^)]*\))?, port \d+ failed: ')
_ERRNOS: Mapping[str, int] = MappingProxyType({os.strerror(number): number for number in errno.errorcode})
_TLS_WORDS = ("SSL", "TLS", "certificate")
_PROTOCOL_WORDS = (
    "server closed the connection",
    "expected authentication request",
    "received ",
    "invalid ",
    "unexpected ",
    "lost synchronization",
    "message ",
    "protocol error",
    "could not ",
)
_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

_READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
# What a standby receives begins with the segment in which it is, most of which it may have replayed before.
_LAG = """
SELECT pg_is_in_recovery(),
    CASE WHEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL)
              AND pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END
"""


async def examine(target: Target, run: ProbeRun) -> CheckResult:
    """The result of a probe.  Raises OSError."""
    settings: Settings = target.settings
    try:
        with _Session(_connection_text(target), run) as session:
            await session.log_in()
            return Passed(", ".join(await _answers(session, settings)))
    except CheckFailed as end:
        return end.result
    except ContextUnusable as problem:
        return problem.result
    except _Refused as refused:
        return _failure(refused, settings)
    except Error as problem:  # psycopg's, of libpq's functions
        return _failure(_Refused(str(problem)), settings)


class _Refused(Exception):
    """libpq has given up.  ``number`` is the server's SQLSTATE, where it is known."""

    def __init__(self, text: str, *, number: str | None = None) -> None:
        super().__init__(text)
        self.number = number


class _Session:
    """A connection; to be used with ``with``, which closes it."""

    def __init__(self, conninfo: str, run: ProbeRun) -> None:
        self._progress = run.progress
        self._poller = run.poller
        self._connection = pq.PGconn.connect_start(conninfo.encode())
        self._watched = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._poller.forget(self._watched)
        self._connection.finish()

    async def log_in(self) -> None:
        """Connect and log in.  Raises _Refused."""
        connection = self._connection
        if connection.status == ConnStatus.BAD:
            raise self._refused()
        polling = PollingStatus.WRITING
        while polling != PollingStatus.OK:
            if polling == PollingStatus.FAILED:
                raise self._refused()
            await self._ready(READ if polling == PollingStatus.READING else READ_WRITE)
            polling = PollingStatus(connection.connect_poll())
            if connection.status not in (ConnStatus.STARTED, ConnStatus.BAD):
                self._progress.stage = Stage.CONNECTED
                self._progress.waiting_for = "login"
        connection.nonblocking = 1

    async def value(self, statement: str, *, of: str) -> Row:
        """The first row of a short answer."""
        row = await self.first_row(statement, of=of)
        while await self._result() is not None:
            continue
        return row or ()

    async def first_row(self, statement: str, *, of: str) -> Row | None:
        """The first row of an answer of any length; the rest is left unread.  Raises _Refused, CheckFailed, Error."""
        self._progress.waiting_for = of
        connection = self._connection
        connection.send_query(statement.encode())
        connection.set_single_row_mode()
        while connection.flush():
            await self._ready(READ_WRITE)
            connection.consume_input()
        while (result := await self._result()) is not None:
            if result.status in (ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_OK) and result.ntuples:
                return tuple(result.get_value(0, column) for column in range(result.nfields))
            if result.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
                break
            if result.status in (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE):
                words = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message
                number = result.error_field(DiagnosticField.SQLSTATE)
                raise _Refused(_text(words), number=None if number is None else _text(number))
        return None

    async def _result(self) -> pq.abc.PGresult | None:
        connection = self._connection
        while connection.is_busy():
            await self._ready(READ)
            connection.consume_input()
            if connection.is_busy() and _received(connection.socket) > _RECEIVED_LIMIT:
                raise CheckFailed(FailureReason.PROTOCOL, f"a row has more than {_RECEIVED_LIMIT} bytes")
        return connection.get_result()

    async def _ready(self, mask: int) -> None:
        """Wait for libpq's socket, which may be another one than before.

        libpq may leave something unread; setting the same events again makes the poller report that too.
        """
        descriptor = self._connection.socket
        if descriptor != self._watched:
            self._poller.forget(self._watched)
            self._watched = descriptor
        try:
            self._poller.modify(descriptor, mask)
        except FileNotFoundError:
            self._poller.register(descriptor, mask)
        await self._poller.ready(descriptor)

    def _refused(self) -> _Refused:
        return _Refused(_text(self._connection.error_message))


def _received(descriptor: int) -> int:
    """Bytes that have come over a TCP connection, by the kernel's count."""
    borrowed = socket.socket(fileno=descriptor)
    try:
        information = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.stop)
    finally:
        borrowed.detach()
    return int.from_bytes(information[_BYTES_RECEIVED], "little")


def _text(words: bytes) -> str:
    return words.decode("utf-8", "replace")


async def _answers(session: _Session, settings: Settings) -> list[str]:
    """What the server said, in words.  Raises CheckFailed, _Refused, Error."""
    expect, words = settings.expect, []
    if expect.read_only is not None:
        (found,) = await session.value(_READ_ONLY, of="read_only") or (None,)
        words.append(read_only_fits(expect, read_only=found == b"t"))
    if expect.max_lag is not None:
        words.append(await _lag_in_words(session, expect))
    if settings.query is not None:
        words.append(row_fits(settings, await session.first_row(settings.query, of="an answer to the query")))
    return words or ["login"]


async def _lag_in_words(session: _Session, expect: Expectations) -> str:
    """What the lag is, in words.  Raises CheckFailed, _Refused, Error.

    A standby that just now receives the first change for a long time, or the first of all, is as far behind as that
    time, until it has replayed it: so one that is too far behind is looked at once more.
    """
    with suppress(CheckFailed):
        return lag_fits(expect, lag(await session.value(_LAG, of="the state of replication")))
    await asyncio.sleep(_MOMENT_S)
    return lag_fits(expect, lag(await session.value(_LAG, of="the state of replication")))


def lag(row: Row) -> float:
    """Seconds behind.  Raises CheckFailed where the server is not a standby, or has not applied anything yet."""
    recovering, behind = row if len(row) == 2 else (None, None)
    if recovering != b"t":
        raise CheckFailed(FailureReason.CONTENT, "the server is not a standby")
    with suppress(ValueError):
        if behind is not None:
            return max(0.0, float(behind))
    raise CheckFailed(FailureReason.CONTENT, "not replicating: no transaction has been replayed yet")


def _failure(refused: _Refused, settings: Settings) -> CheckResult:
    """What the end of a connection or a statement means.

    While a connection is made there is nothing but libpq's words, so they show the system's errors, TLS errors and
    answers that are not PostgreSQL's; everything else is the server's message.
    """
    text = str(refused).strip()
    if refused.number is not None:
        return Failed(FailureReason.STATUS, settings.words(f"{refused.number}: {text}"))
    line = _FAILED.sub("", text.partition("\n")[0])
    number = _ERRNOS.get(line.rpartition(": ")[2])
    if number is not None:
        return outcome_of(OSError(number, line))
    theirs = _SERVERS.match(line)
    return Failed(FailureReason.STATUS if theirs else _reason(line), settings.words(theirs[1] if theirs else line))


def _reason(line: str) -> FailureReason:
    if any(word in line for word in _TLS_WORDS):
        return FailureReason.TLS
    if not line or any(word in line for word in _PROTOCOL_WORDS):
        return FailureReason.PROTOCOL
    return FailureReason.STATUS


def _connection_text(target: Target) -> str:
    """Everything is said, so that neither the environment nor files of the home directory have a say."""
    settings: Settings = target.settings
    return make_conninfo(
        host=(settings.tls and settings.tls.server_name) or str(target.address),
        hostaddr=str(target.address),
        port=target.port or settings.default_port,
        user=settings.user,
        password=None if settings.password is None else settings.password.get_secret_value(),
        dbname=settings.database or settings.user,
        application_name="lvs-agent",
        client_encoding="UTF8",
        gssencmode="disable",
        target_session_attrs="any",
        passfile=_NOWHERE,
        options="",
        **_tls_keys(settings.tls),
    )


def _tls_keys(tls: TlsSettings | None) -> dict[str, str]:
    if tls is None:
        keys = {"sslmode": "prefer", "sslrootcert": _NOWHERE, "sslcert": _NOWHERE}
        return keys | {"require_auth": "!password"} if pq.version() >= _REQUIRE_AUTH_SINCE else keys
    context_for(tls, alpn=())  # its files are looked at as they are for every other check
    certificate, key = tls.client_certificate, tls.client_key or tls.client_certificate
    return {
        "sslmode": "verify-full" if tls.verify else "require",
        "sslrootcert": (readable(tls.ca_file) if tls.ca_file else _system_roots()) if tls.verify else _NOWHERE,
        "sslcert": readable(certificate) if certificate else _NOWHERE,
        "sslkey": readable(key) if key else _NOWHERE,
        "ssl_min_protocol_version": f"TLSv{tls.minimum_version.value}".replace("TLSv1.0", "TLSv1"),
    }


def _system_roots() -> str:
    """The system's authorities in one file, which is how libpq wants them."""
    usual = ssl.get_default_verify_paths().cafile
    return next((path for path in (usual, *_ROOTS) if path and Path(path).exists()), _ROOTS[0])
