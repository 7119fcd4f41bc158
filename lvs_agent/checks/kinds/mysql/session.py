"""What a mysql check does in its thread: login, statements, and what their answers mean.

The only module that imports PyMySQL.  Everything here blocks until the socket is shut down elsewhere.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pymysql import err
from pymysql.connections import Connection
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor, DictCursor, SSCursor

from lvs_agent.checks.kinds._sql import ANSWER_LIMIT, lag_fits, read_only_fits, row_fits
from lvs_agent.checks.kinds.mysql.settings import Question, Settings
from lvs_agent.checks.net.dialogue import CheckFailed
from lvs_agent.checks.net.tls import failure_of, not_after
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed

if TYPE_CHECKING:
    _Connection = Connection[Cursor]
else:
    _Connection = Connection  # generic in its stubs only

Row = Mapping[str, Any]

_GONE = frozenset({CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR})
_CLIENTS = range(2_000, 3_000)
"""Numbers of errors that the client library gives; all others are the server's (MySQL, errmsg.h)."""
_NOT_MYSQL = (LookupError, ValueError, TypeError, AttributeError, AssertionError, struct.error)
"""What PyMySQL raises where it reads something that the protocol does not have."""
_SYNCED = "4"


def examine(opened: socket.socket, question: Question) -> CheckResult:
    """The result of a probe over ``opened``, whose greeting has been read.  Closes it."""
    session = _Session(question)
    try:
        session.connect(opened)
        result: CheckResult = Passed(", ".join(_answers(session, question)))
    except CheckFailed as end:
        result = end.result
    except err.Error as problem:
        result = _failure(problem, question)
    except RuntimeError as problem:  # a way of authentication that PyMySQL leaves to another library
        result = _not_possible(problem, question)
    except _NOT_MYSQL:
        result = Failed(FailureReason.PROTOCOL, f"not an answer of MySQL's protocol: {question.progress.waiting_for}")
    finally:
        session.leave()
    return result if isinstance(result, Errored) else replace(result, certificate_not_after=session.not_after)


class _NoPlainPassword:
    """Answers a server that asks for the password itself over a connection that everybody can read."""

    def __init__(self, connection: object) -> None:
        del connection

    def authenticate(self, packet: object) -> NoReturn:
        del packet
        raise CheckFailed(FailureReason.STATUS, "the server asks for the password in plain text: add a tls table")


class _Session(_Connection):
    """A connection whose greeting is there already, and which reads ``ANSWER_LIMIT`` bytes at most."""

    # which the library's stubs leave out
    _sock: socket.socket | None
    _result: Any
    server_version: str

    def __init__(self, question: Question) -> None:
        settings, context = question.settings, question.context
        self._greeting = question.greeting
        self._left = ANSWER_LIMIT
        self.not_after: float | None = None
        plugins = () if context is not None else ("mysql_clear_password", "dialog")
        super().__init__(
            user=settings.user,
            password=b"" if settings.password is None else settings.password.get_secret_value().encode(),
            host=question.host,
            database=settings.database,
            charset="utf8mb4",
            conv={},
            autocommit=None,
            defer_connect=True,
            program_name="lvs-agent",
            auth_plugin_map=dict.fromkeys(plugins, _NoPlainPassword),
            ssl=context,
            ssl_disabled=context is None,
        )

    def _request_authentication(self) -> None:
        """As PyMySQL does it; the certificate is looked at whether the login succeeds or not."""
        try:
            super()._request_authentication()  # type: ignore[misc] # its stubs leave private methods out
        finally:
            if isinstance(self._sock, ssl.SSLSocket) and (seen := self._sock.getpeercert(binary_form=True)):
                self.not_after = not_after(seen)

    def _read_bytes(self, count: int) -> bytes:
        """Every byte that PyMySQL reads comes through here."""
        self._left -= count
        if self._left < 0:
            raise CheckFailed(FailureReason.PROTOCOL, f"the answer has more than {ANSWER_LIMIT} bytes")
        if self._greeting:
            data, self._greeting = self._greeting[:count], self._greeting[count:]
            return data
        return cast("bytes", super()._read_bytes(count))  # type: ignore[misc] # as above

    def table(self, statement: str) -> list[Row]:
        """Every row of a short answer, by the names of its columns."""
        with self.cursor(DictCursor) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def first_row(self, statement: str) -> tuple[object, ...] | None:
        """The first row of an answer of any length.  No statement can follow: the other rows are not read."""
        cursor = SSCursor(self)
        cursor.execute(statement)
        row = cursor.fetchone()
        if (result := self._result) is not None:
            result.unbuffered_active = False  # otherwise it would read everything when it is thrown away
        return row

    def leave(self) -> None:
        """Say goodbye and close."""
        with suppress(err.Error):  # it was closed when something went wrong
            self.close()


def _answers(session: _Session, question: Question) -> list[str]:
    """What the server said, in words.  Raises CheckFailed, and whatever PyMySQL raises."""
    settings, progress = question.settings, question.progress
    expect, words = settings.expect, []
    if expect.read_only is not None:
        progress.waiting_for = "read_only"
        words.append(read_only_fits(expect, read_only=_is_on(session.table("SELECT @@global.read_only AS it"))))
    if expect.max_lag is not None:
        progress.waiting_for = "the state of replication"
        words.append(lag_fits(expect, lag(_replication(session), settings)))
    if expect.galera:
        progress.waiting_for = "the state of the Galera node"
        words.append(galera(session.table("SHOW GLOBAL STATUS LIKE 'wsrep\\_%'")))
    if settings.query is not None:
        progress.waiting_for = "an answer to the query"
        words.append(row_fits(settings, session.first_row(settings.query)))
    if not words:
        progress.waiting_for = "an answer to a ping"
        session.ping(reconnect=False)
        words.append("login and ping")
    return words


def _is_on(rows: Sequence[Row]) -> bool:
    """read_only is 0 or 1; MariaDB 12 has names for more than one kind of it."""
    return bool(rows) and str(rows[0]["it"]).upper() not in {"0", "OFF"}


def _replication(session: _Session) -> list[Row]:
    """A row for each source.  MariaDB shows named ones with ALL only; MySQL has SHOW REPLICA STATUS since 8.0.22."""
    if "mariadb" in session.server_version.lower():
        return session.table("SHOW ALL SLAVES STATUS")
    try:
        return session.table("SHOW REPLICA STATUS")
    except err.ProgrammingError as problem:
        if problem.args[0] != ER.PARSE_ERROR:
            raise
        return session.table("SHOW SLAVE STATUS")


def lag(rows: Sequence[Row], settings: Settings) -> float:
    """Seconds behind the source that is farthest ahead.  Raises CheckFailed where one of them is not replicated."""
    if not rows:
        raise CheckFailed(FailureReason.CONTENT, "the server is not a replica")
    return max(_lag_of(row, settings) for row in rows)


def _lag_of(row: Row, settings: Settings) -> float:
    reading, applying = _either(row, "IO_Running"), _either(row, "SQL_Running")
    behind = row.get("Seconds_Behind_Source", row.get("Seconds_Behind_Master"))
    if reading == applying == "Yes" and behind is not None:
        return float(behind)
    words = [f"not replicating: IO thread {reading}, SQL thread {applying}"]
    if row.get("Last_IO_Error"):
        words.append(settings.words(str(row["Last_IO_Error"])))
    if row.get("Last_SQL_Errno", "0") != "0":
        words.append(f"error {row['Last_SQL_Errno']}")  # its text has the whole statement, with whatever is in it
    raise CheckFailed(FailureReason.CONTENT, ": ".join(words))


def _either(row: Row, name: str) -> str:
    """A column by its name of today or of yesterday."""
    return str(row.get(f"Replica_{name}", row.get(f"Slave_{name}")))


def galera(rows: Sequence[Row]) -> str:
    """What the status of a node means.  Raises CheckFailed."""
    status = {str(row["Variable_name"]): str(row["Value"]) for row in rows}
    state, ready = status.get("wsrep_local_state"), status.get("wsrep_ready", "OFF")
    if state is None:
        raise CheckFailed(FailureReason.CONTENT, "the server is not a Galera node")
    comment = status.get("wsrep_local_state_comment", "")
    words = f"wsrep_local_state {state} ({comment}), wsrep_ready {ready}"
    if state != _SYNCED or ready != "ON":
        raise CheckFailed(FailureReason.CONTENT, words)
    return words


def _not_possible(problem: RuntimeError, question: Question) -> Failed | Errored:
    if "package is required" in str(problem):
        return Errored(ErrorReason.FILE_MISSING, question.settings.words(str(problem)))
    return Failed(FailureReason.PROTOCOL, "the server asks for a file")


def _failure(problem: err.Error, question: Question) -> Failed:
    """What an error of PyMySQL's says.  The server's own have its number and words."""
    cause = getattr(problem, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        return failure_of(cause)
    number, text = (*problem.args, 0, "")[:2] if len(problem.args) > 1 else (0, str(problem))
    if number in _GONE or isinstance(cause, OSError):
        words = f"the server has closed the connection: {question.progress.waiting_for}"
        return Failed(FailureReason.PROTOCOL, words)
    if number == CR.CR_SSL_CONNECTION_ERROR:
        return Failed(FailureReason.TLS, "the server does not offer TLS")
    if not number or number in _CLIENTS:
        return Failed(FailureReason.PROTOCOL, question.settings.words(str(text)))
    return Failed(FailureReason.STATUS, question.settings.words(f"{number}: {text}"))
