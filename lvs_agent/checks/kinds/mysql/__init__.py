"""Login to MySQL or MariaDB; a query, replication, Galera or read_only must be as configured.

The server's greeting is awaited without a thread, so a server that hangs never takes one.  PyMySQL does the rest in a
thread (``threads``), over the same connection.
"""

from __future__ import annotations

import socket
from functools import partial

from lvs_agent.checks.kinds.mysql.settings import Question, Settings
from lvs_agent.checks.net.connection import Connection, endpoint_of
from lvs_agent.checks.net.dialogue import CheckFailed, printable
from lvs_agent.checks.net.doubt import Doubt
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Progress
from lvs_agent.checks.net.tls import ContextUnusable, context_for
from lvs_agent.model.check import CheckResult, FailureReason, Target

EXAMPLE = """
type = "mysql"
user = "monitor"
password_file = "/etc/lvs-agent/mysql-password"
database = "shop"
query = "SELECT 1 FROM orders LIMIT 1"
expect = { read_only = false }
"""

PASSES = (
    "Login succeeds, everything in expect holds, and the query returns a row whose first column matches"
    " expect_regex.  Without a query and without expect, the server answers a ping (COM_PING)."
)

FAILS = {
    FailureReason.TLS: "with a tls table: the server does not offer TLS, or its certificate is not accepted",
    FailureReason.STATUS: "the server refuses the login, the database or a statement; its number and message are shown",
    FailureReason.CONTENT: "the query returns no row or one that does not match, or something in expect does not hold",
    FailureReason.PROTOCOL: "the answer is not MySQL's, is too long, or the server closes the connection",
}

SEEN = (
    "A connection as user (program_name lvs-agent among its attributes) with SET NAMES utf8mb4, the statements of"
    " expect (SELECT @@global.read_only; SHOW REPLICA STATUS, or SHOW ALL SLAVES STATUS of MariaDB; SHOW GLOBAL STATUS"
    " of wsrep_*), the query, and COM_QUIT.  A check that runs out of time closes the connection, and the server logs"
    " an aborted connection."
)

_HEADER = 4
_GREETING_LIMIT = 4_096
_PROTOCOL = 10
_ERROR = 0xFF

__all__ = ["EXAMPLE", "FAILS", "PASSES", "SEEN", "Settings", "probe"]


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One connection: greeting, login, what is expected, and the query."""
    settings: Settings = target.settings
    progress = run.progress
    try:
        context = None if settings.tls is None else context_for(settings.tls, alpn=())
        with Connection(run.cached(endpoint_of, target.address, target.port or 0), run) as connection:
            greeting = await _greeting(connection, progress, settings)
            opened = connection.release()
        with opened:
            name = None if settings.tls is None else settings.tls.server_name
            question = Question(settings, greeting, context, name or str(target.address), progress)
            return await _ask(opened, question, run)
    except CheckFailed as end:
        return end.result
    except ContextUnusable as problem:
        return problem.result
    except OSError as problem:
        return outcome_of(problem)


async def _ask(opened: socket.socket, question: Question, run: ProbeRun) -> CheckResult:
    run.progress.waiting_for = "login"
    # The duplicate belongs to us alone: it shuts the connection down, whatever the library does with its descriptor.
    with opened.dup() as guard:
        return await run.threads.run(
            partial(_examined, opened, question),
            cancel=partial(guard.shutdown, socket.SHUT_RDWR),
            progress=run.progress,
            doubt=run.cached(Doubt),
        )


def _examined(opened: socket.socket, question: Question) -> CheckResult:
    """What the thread does."""
    from lvs_agent.checks.kinds.mysql.session import examine  # noqa: PLC0415 - only agents with this check need it

    return examine(opened, question)


async def _greeting(connection: Connection, progress: Progress, settings: Settings) -> bytes:
    """The server's first packet with its header.  Raises CheckFailed, OSError."""
    await connection.connected()
    progress.waiting_for = "the server's greeting"
    data = b""
    while len(data) < (_length(data) if len(data) >= _HEADER else _HEADER):
        more = await connection.receive()
        if not more:
            raise CheckFailed(FailureReason.PROTOCOL, "the server has closed the connection before its greeting")
        data += more
    if len(data) > _length(data):
        raise CheckFailed(FailureReason.PROTOCOL, "the server sends more than its greeting")
    kind = data[_HEADER] if len(data) > _HEADER else None
    if kind == _ERROR:
        number, text = int.from_bytes(data[5:7], "little"), data[7:].decode("utf-8", "replace")
        raise CheckFailed(FailureReason.STATUS, settings.words(f"{number}: {text}"))
    if kind != _PROTOCOL:
        raise CheckFailed(FailureReason.PROTOCOL, "the greeting is not that of MySQL's protocol 10")
    return data


def _length(data: bytes) -> int:
    """How long the first packet in ``data`` is with its header.  Raises CheckFailed."""
    length = int.from_bytes(data[:3], "little")
    if length > _GREETING_LIMIT or data[3] != 0:
        start = printable(data[:40].decode("latin-1"))
        raise CheckFailed(FailureReason.PROTOCOL, f"the greeting is not MySQL's; it begins with {start}")
    return _HEADER + length
