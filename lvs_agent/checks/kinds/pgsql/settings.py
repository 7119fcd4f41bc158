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
    """Database to use.  The default is the one with the name of the user."""
    expect: Expectations = Field(default_factory=Expectations)
    """What the server must report.  A server is read-only during recovery (a standby) and if
    default_transaction_read_only is on.  max_lag: a standby that has applied all that it has received is 0 s behind
    while its WAL receiver runs; otherwise its lag is the age of its last replayed transaction."""
    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification; a server without TLS fails.  Without this table TLS is
    used if the server offers it, nothing is verified (as with PostgreSQL's own clients), and a server that asks for the
    password in plain text fails.  The certificate's expiry is not reported: libpq shows the TLS version, cipher and
    protocol (PQsslAttribute), but the certificate only to programs in C (PQsslStruct), and psycopg does not pass it on.
    A wrong or expired certificate still fails the check if it is verified."""
