"""Login to Oracle Database; a query must give a row.

Needs python-oracledb (``pip install lvs-agent[oracle]``) in its thin mode, without Oracle's client software.  No Oracle
server was available to its authors: the check was tried with servers that refuse, hang or talk nonsense, and with
listeners that refuse in Oracle's own protocol, not with a login that succeeds.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from lvs_agent.checks.fields import Line
from lvs_agent.checks.outcome import outcome_of
from lvs_agent.checks.sessions import missing
from lvs_agent.checks.settings import HOST_NAMES
from lvs_agent.checks.sql_settings import QuerySettings
from lvs_agent.checks.tls import TlsSettings
from lvs_agent.model.check import CheckResult, FailureReason, Target

EXAMPLE = """
type = "oracle"
user = "monitor"
password_file = "/etc/lvs-agent/oracle-password"
service_name = "shop.example.com"
query = "SELECT 1 FROM dual"
"""

PASSES = (
    "Login succeeds and the query gives a row whose first column fits expect_regex; without a query, login is enough."
)

FAILS = {
    FailureReason.TLS: "the certificate is wrong, or there is no TLS although there is a tls table",
    FailureReason.STATUS: "the listener does not know the service, or the server refuses the login or the query; its"
    " words with their ORA or DPY number are shown",
    FailureReason.CONTENT: "the query gives no row or another one",
    FailureReason.PROTOCOL: "the answer is not Oracle's, or the server hangs up",
}

SEEN = (
    "A line of the listener's log for each connection (PROGRAM=lvs-agent), a session of the user, and the query.  A"
    " check that runs out of time hangs up."
)


class Settings(QuerySettings):
    """Keys of a check with ``type = "oracle"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.sessions.oracle", HOST_NAMES)
    extra_library: ClassVar[str | None] = "oracledb"
    default_port: ClassVar[int | None] = 1521

    service_name: Line | None = None
    """The service to ask the listener for; this or sid."""
    sid: Line | None = None
    """The instance to ask the listener for; this or service_name."""
    tls: TlsSettings | None = None
    """Asks for TLS (TCPS) and says how.  Without this table everything but the password is sent in plain."""

    @model_validator(mode="after")
    def _one_is_named(self) -> Self:
        if (self.service_name is None) == (self.sid is None):
            raise ValueError("either service_name or sid is wanted")
        if self.password is None:
            raise ValueError("password is wanted")
        return self


async def probe(target: Target) -> CheckResult:
    """One connection: login, and the query."""
    try:
        from lvs_agent.checks.sessions.oracle import examine  # noqa: PLC0415 - only agents with this check need it

        return await examine(target)
    except ImportError as problem:
        return missing("oracle", problem)
    except OSError as problem:
        return outcome_of(problem)
