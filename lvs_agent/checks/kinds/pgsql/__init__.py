"""Login to PostgreSQL; a query, replication or read_only must be as configured.

Needs psycopg (``pip install lvs-agent[pgsql]``), whose libpq is driven step by step as each answer comes: no thread is
taken, and a probe that is cancelled closes its connection at once.
"""

from __future__ import annotations

from lvs_agent.checks.kinds._sql import missing
from lvs_agent.checks.kinds.pgsql.settings import Settings
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
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
    "Login succeeds, everything in expect holds, and the query returns a row whose first column matches"
    " expect_regex.  Without a query and without expect, login is enough."
)

FAILS = {
    FailureReason.TLS: "with a tls table: the server does not offer TLS, or its certificate is not accepted",
    FailureReason.STATUS: "the server refuses the login, the database or a statement; its message is shown",
    FailureReason.CONTENT: "the query returns no row or one that does not match, or something in expect does not hold",
    FailureReason.PROTOCOL: "the answer is not PostgreSQL's, is too long, or the server closes the connection",
}

SEEN = (
    "A connection of the application lvs-agent with the statements of expect (such as pg_is_in_recovery()) and the"
    " query, in the simple protocol, so that it works through connection poolers too.  A check that runs out of time"
    " closes the connection."
)

__all__ = ["EXAMPLE", "FAILS", "PASSES", "SEEN", "Settings", "probe"]


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One connection: login, what is expected, and the query."""
    try:
        from lvs_agent.checks.kinds.pgsql.session import examine  # noqa: PLC0415 - only agents with this check need it

        return await examine(target, run)
    except ImportError as problem:
        return missing("pgsql", problem)
    except OSError as problem:
        return outcome_of(problem)
