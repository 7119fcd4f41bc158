"""Login to Oracle Database; a query must return a row.

Needs python-oracledb (``pip install lvs-agent[oracle]``) in its thin mode, without Oracle's client software.  No Oracle
server was available to its authors: the check was tried with servers that refuse, hang or talk nonsense, and with
listeners that refuse in Oracle's own protocol, not with a login that succeeds.
"""

from __future__ import annotations

from lvs_agent.checks.kinds._sql import missing
from lvs_agent.checks.kinds.oracle.settings import Settings
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Target

EXAMPLE = """
type = "oracle"
user = "monitor"
password_file = "/etc/lvs-agent/oracle-password"
service_name = "shop.example.com"
query = "SELECT 1 FROM dual"
"""

PASSES = (
    "Login succeeds and the query returns a row whose first column matches expect_regex; without a query, login is"
    " enough."
)

FAILS = {
    FailureReason.TLS: "with a tls table: the server does not use TLS, or its certificate is not accepted",
    FailureReason.STATUS: "the listener does not know the service, or the server refuses the login or the query; its"
    " message with its ORA or DPY number is shown",
    FailureReason.CONTENT: "the query returns no row or one that does not match",
    FailureReason.PROTOCOL: "the answer is not Oracle's, or the server closes the connection",
}

SEEN = (
    "A line of the listener's log for each connection (PROGRAM=lvs-agent), a session of the user, and the query.  A"
    " check that runs out of time closes the connection."
)

__all__ = ["EXAMPLE", "FAILS", "PASSES", "SEEN", "Settings", "probe"]


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One connection: login, and the query."""
    try:
        from lvs_agent.checks.kinds.oracle.session import examine  # noqa: PLC0415 - only agents with this check need it

        return await examine(target, run)
    except ImportError as problem:
        return missing("oracle", problem)
    except OSError as problem:
        return outcome_of(problem)
