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
    """Whether it must be a node of a Galera cluster that is synced and takes queries: wsrep_local_state 4 and
    wsrep_ready ON."""


class Settings(QuerySettings):
    """Keys of a check with ``type = "mysql"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.kinds.mysql.session",)
    default_port: ClassVar[int | None] = 3306

    database: Line | None = None
    """The database to use; without it none."""
    expect: MysqlExpectations = Field(default_factory=MysqlExpectations)
    """What the server must report.  read_only is the global variable of that name; max_lag is read from the
    replica status (which needs the right REPLICATION CLIENT, or REPLICA MONITOR of MariaDB), the worst of several
    sources; galera is the state of a Galera node."""
    tls: TlsSettings | None = None
    """Asks for TLS and says how; a server without it fails.  Without this table everything but the password is sent
    in plain, and a server that asks for the password in plain is refused."""


class Question(NamedTuple):
    """What is asked of a server whose greeting has come.  ``context`` None: in plain."""

    settings: Settings
    greeting: bytes
    context: ssl.SSLContext | None
    host: str
    progress: Progress
