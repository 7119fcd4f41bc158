"""The TOML keys of a ``mysql`` check, and what its session is asked."""

from __future__ import annotations

import ssl
from typing import ClassVar, NamedTuple

from pydantic import Field

from lvs_agent.checks.kinds._sql import Expectations, QuerySettings
from lvs_agent.checks.net.progress import Progress
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.settings.scalars import Line


class MysqlExpectations(Expectations):
    """Keys of the ``expect`` table: what the server must report."""

    galera: bool = False
    """Whether it must be a synced Galera node that accepts queries: wsrep_local_state 4 and wsrep_ready ON."""


class Settings(QuerySettings):
    """Keys of a check with ``type = "mysql"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.kinds.mysql.session",)
    default_port: ClassVar[int | None] = 3306

    database: Line | None = None
    """Database to use.  Without it no database is selected."""
    expect: MysqlExpectations = Field(default_factory=MysqlExpectations)
    """What the server must report.  read_only is the global variable of that name; max_lag is read from the
    replica status (which needs the privilege REPLICATION CLIENT, or REPLICA MONITOR of MariaDB), the worst of several
    sources; galera is the state of a Galera node."""
    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification; a server without TLS fails.  Without this table everything
    but the password is sent in plain text, and a server that asks for the password in plain text fails."""


class Question(NamedTuple):
    """What is asked of a server whose greeting has come.  ``context`` None: in plain."""

    settings: Settings
    greeting: bytes
    context: ssl.SSLContext | None
    host: str
    progress: Progress
