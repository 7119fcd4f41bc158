"""The TOML keys of a ``pgsql`` check."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lvs_agent.checks.kinds._sql import Expectations, QuerySettings
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.settings.scalars import Line


class Settings(QuerySettings):
    """Keys of a check with ``type = "pgsql"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.kinds.pgsql.session",)
    extra_library: ClassVar[str | None] = "psycopg"
    default_port: ClassVar[int | None] = 5432

    database: Line | None = None
    """The database to use; without it the one that is named like the user."""
    expect: Expectations = Field(default_factory=Expectations)
    """What the server must report.  It is read-only during recovery (a standby) and where
    default_transaction_read_only is on.  max_lag: a standby that has applied all that it has received is 0 s behind
    while its WAL receiver runs; otherwise it is as far behind as its last replayed transaction is old."""
    tls: TlsSettings | None = None
    """Asks for TLS and says how; a server without it fails.  Without this table TLS is spoken where the server has it
    and nothing is verified, as PostgreSQL's own clients do, and a server that asks for the password in plain is
    refused.  The certificate's expiry is not reported: of a connection's TLS libpq shows the version, the cipher and
    the protocol (PQsslAttribute), and the certificate only to programs in C (PQsslStruct), which psycopg does not pass
    on.  A wrong or expired certificate fails the check all the same, where it is verified."""
