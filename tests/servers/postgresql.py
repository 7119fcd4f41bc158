"""PostgreSQL of Debian: a primary and, where a test needs it, a standby of it; in the temporary directory, no fsync."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import daemons
from tests.servers.daemons import ADDRESS, Daemon

PASSWORD = "Geheim-密码 ' \\ 1"
_USER = "postgres"
_LITERAL = PASSWORD.replace("'", "''")

_SETUP = f"""
CREATE ROLE monitor LOGIN PASSWORD '{_LITERAL}';
CREATE ROLE plain LOGIN PASSWORD '{_LITERAL}';
CREATE ROLE encrypted LOGIN PASSWORD '{_LITERAL}';
SET password_encryption = 'md5';
CREATE ROLE older LOGIN PASSWORD '{_LITERAL}';
CREATE TABLE health (state text);
INSERT INTO health VALUES ('ok');
CREATE TABLE hollow (state text);
GRANT SELECT ON health, hollow TO monitor, plain, encrypted, older;
CREATE ROLE posing LOGIN PASSWORD '{_LITERAL}';
ALTER ROLE posing SET search_path = posing, pg_catalog;
CREATE SCHEMA posing AUTHORIZATION posing;
SET ROLE posing;
CREATE SEQUENCE posing.look;
CREATE TABLE posing.looks (look int, pid int, received pg_lsn, replayed pg_lsn, age interval);
CREATE VIEW posing.now AS SELECT looks.* FROM posing.looks, posing.look WHERE looks.look = last_value;
CREATE VIEW posing.pg_stat_wal_receiver AS SELECT pid FROM posing.now;
CREATE FUNCTION posing.pg_is_in_recovery() RETURNS bool AS 'SELECT nextval(''posing.look'') > 0' LANGUAGE sql;
CREATE FUNCTION posing.pg_last_wal_receive_lsn() RETURNS pg_lsn AS 'SELECT received FROM posing.now' LANGUAGE sql;
CREATE FUNCTION posing.pg_last_wal_replay_lsn() RETURNS pg_lsn AS 'SELECT replayed FROM posing.now' LANGUAGE sql;
CREATE FUNCTION posing.pg_last_xact_replay_timestamp() RETURNS timestamptz
    AS 'SELECT now() - age FROM posing.now' LANGUAGE sql;
CREATE FUNCTION posing.clock_timestamp() RETURNS timestamptz AS 'SELECT now()' LANGUAGE sql;
"""
_RULES = f"""
local all all peer
host replication {_USER} {ADDRESS}/32 trust
hostssl all plain {ADDRESS}/32 password
hostnossl all plain {ADDRESS}/32 password
hostssl all encrypted {ADDRESS}/32 scram-sha-256
host all older {ADDRESS}/32 md5
host all posing {ADDRESS}/32 md5
host all monitor {ADDRESS}/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSql:
    """The server that runs, and a way to tell it something as its administrator."""

    daemon: Daemon
    port: int

    def tell(self, statements: str) -> None:
        """Run statements."""
        done = subprocess.run(
            [
                *(_program("psql"), "--host", str(self.daemon.home), "--port", str(self.port)),
                *("--dbname=postgres", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
            ],
            input=statements, text=True, check=False, capture_output=True, preexec_fn=_become(), cwd="/",
        )  # fmt: skip
        assert not done.returncode, done.stderr


@contextmanager
def postgresql(certificate: Path) -> Iterator[PostgreSql]:
    """A primary at loopback that speaks TLS with ``certificate`` (PEM, with its key)."""
    with daemons.home("pgsql", owner=_USER) as home:
        port, data = daemons.free_port(), home / "data"
        _run("initdb", "--auth=peer", "--no-sync", "--encoding=UTF8", "--locale=C", "--no-instructions", str(data))
        (data / "pg_hba.conf").write_text(_RULES)
        own = Path(shutil.copy(certificate, home / "server.pem"))
        daemons.give(own, to=_USER)
        own.chmod(0o600)
        with _running(
            home, data, port, "-c", "ssl=on", "-c", f"ssl_cert_file={own}", "-c", f"ssl_key_file={own}"
        ) as it:
            it.tell(_SETUP)
            yield it


@contextmanager
def standby_of(primary: PostgreSql) -> Iterator[PostgreSql]:
    """A standby that streams from ``primary``."""
    with daemons.home("pgsql", owner=_USER) as home:
        port, data = daemons.free_port(), home / "data"
        _run(
            "pg_basebackup", "--checkpoint=fast", "--no-sync", "--write-recovery-conf", "--wal-method=stream",
            f"--dbname=host={ADDRESS} port={primary.port} user={_USER} sslmode=disable", f"--pgdata={data}",
        )  # fmt: skip
        with _running(home, data, port, "-c", "hot_standby=on") as standby:
            yield standby


@contextmanager
def _running(home: Path, data: Path, port: int, *options: str) -> Iterator[PostgreSql]:
    settings = {
        "listen_addresses": ADDRESS, "port": str(port), "unix_socket_directories": str(home), "fsync": "off",
        "shared_buffers": "4MB", "max_connections": "30", "lc_messages": "C", "wal_level": "replica",
        "wal_retrieve_retry_interval": "100ms", "autovacuum": "off",
    }  # fmt: skip
    command = [_program("postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    ready = [_program("pg_isready"), "--quiet", "--host", str(home), "--port", str(port)]
    with daemons.running(
        [*command, *options], home=home, user=_USER, ready=lambda: subprocess.run(ready, check=False).returncode == 0
    ) as daemon:
        yield PostgreSql(daemon=daemon, port=port)


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [_program(program), *arguments], check=False, capture_output=True, text=True, preexec_fn=_become(), cwd="/"
    )
    assert not done.returncode, done.stderr


def _program(name: str) -> str:
    """The newest version's; Debian keeps them beside each other."""
    return str(max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])))


def _become() -> Callable[[], None]:
    """What makes a process the server's user, who alone may do this."""
    entry = pwd.getpwnam(_USER)

    def become() -> None:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)

    return become
