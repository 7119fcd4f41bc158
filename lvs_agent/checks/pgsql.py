"""Login to PostgreSQL; a query, replication or read_only must be as wanted.

Needs psycopg (``pip install lvs-agent[pgsql]``), whose libpq is driven step by step as each answer comes: no thread is
taken, and a probe that is cancelled closes its connection at once.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lvs_agent.checks.fields import Line
from lvs_agent.checks.outcome import outcome_of
from lvs_agent.checks.sessions import missing
from lvs_agent.checks.sql_settings import Expectations, QuerySettings
from lvs_agent.checks.tls import TlsSettings
from lvs_agent.model.check import CheckResult, FailureReason, Target

EXAMPLE = """
type = "pgsql"
user = "monitor"
password_file = "/etc/lvs-agent/pgsql-password"
database = "shop"
query = "SELECT 1"
expect = { read_only = true, max_lag = "30s" }
tls = { ca_file = "/etc/ssl/own-ca.pem", server_name = "db.example.com" }
"""

PASSES = (
    "Login succeeds, everything in expect is as wanted, and the query gives a row whose first column fits"
    " expect_regex.  Without a query and without expect, login is enough."
)

FAILS = {
    FailureReason.TLS: "the server has no TLS although there is a tls table, or its certificate is wrong",
    FailureReason.STATUS: "the server refuses the login, the database or a statement; its words are shown",
    FailureReason.CONTENT: "the query gives no row or another one, or something in expect is not as wanted",
    FailureReason.PROTOCOL: "the answer is not PostgreSQL's, is too long, or the server hangs up",
}

SEEN = (
    "A connection of the application lvs-agent with the statements of expect (pg_is_in_recovery() and its like) and the"
    " query, in the simple protocol, so that poolers take it too.  A check that runs out of time hangs up."
)


class Settings(QuerySettings):
    """Keys of a check with ``type = "pgsql"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.sessions.pgsql",)
    extra_library: ClassVar[str | None] = "psycopg"
    default_port: ClassVar[int | None] = 5432

    database: Line | None = None
    """The database to use; without it the one that is named like the user."""
    expect: Expectations = Field(default_factory=Expectations)
    """What the server must say of itself.  It is read-only during recovery (a standby) and where
    default_transaction_read_only is on.  max_lag: a standby that has applied all that it has received is 0 s behind
    while its WAL receiver runs; otherwise it is as far behind as its last replayed transaction is old."""
    tls: TlsSettings | None = None
    """Asks for TLS and says how; a server without it fails.  Without this table TLS is spoken where the server has it
    and nothing is verified, as PostgreSQL's own clients do, and a server that asks for the password in plain is
    refused.  The certificate's expiry is not reported: of a connection's TLS libpq tells the version, the cipher and
    the protocol (PQsslAttribute), and the certificate only to programs in C (PQsslStruct), which psycopg does not pass
    on.  A wrong or expired certificate fails the check all the same, where it is verified."""


async def probe(target: Target) -> CheckResult:
    """One connection: login, what is expected, and the query."""
    try:
        from lvs_agent.checks.sessions.pgsql import examine  # noqa: PLC0415 - only agents with this check need it

        return await examine(target)
    except ImportError as problem:
        return missing("pgsql", problem)
    except OSError as problem:
        return outcome_of(problem)
