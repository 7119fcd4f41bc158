"""MariaDB of Debian: a Galera cluster of one node that is its own replication source, in memory, without fsync."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import daemons
from tests.servers.daemons import ADDRESS, Daemon

PASSWORD = "Geheim-密码 1"
_USER = "mysql"
_PROVIDER = "/usr/lib/galera/libgalera_smm.so"

_SETUP = f"""
SET SESSION sql_log_bin = 0;
CREATE DATABASE shop;
CREATE TABLE shop.health (state VARCHAR(20) PRIMARY KEY);
INSERT INTO shop.health VALUES ('ok');
CREATE TABLE shop.empty (state VARCHAR(20) PRIMARY KEY);
CREATE USER monitor@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
GRANT SELECT ON shop.* TO monitor@'127.0.0.1';
GRANT SLAVE MONITOR ON *.* TO monitor@'127.0.0.1';
CREATE USER few@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
CREATE USER modern@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}');
CREATE USER encrypted@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL;
CREATE USER source@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
GRANT REPLICATION SLAVE ON *.* TO source@'127.0.0.1';
"""
"""Users with each way to log in, and tables to ask for; not to be made again by the replication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MariaDb:
    """The server that runs, and a way to tell it something as its administrator."""

    daemon: Daemon
    port: int

    def tell(self, *statements: str) -> None:
        """Run statements."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", "--socket", str(self.daemon.home / "socket"), "--user", "root"],
            input=";\n".join(statements), text=True, check=False, capture_output=True,
        )  # fmt: skip
        assert not done.returncode, done.stderr

    def replicate(self) -> None:
        """Begin to replicate from itself."""
        self.tell(
            f"CHANGE MASTER TO MASTER_HOST='{ADDRESS}', MASTER_PORT={self.port}, MASTER_USER='source',"
            f" MASTER_PASSWORD='{PASSWORD}', MASTER_CONNECT_RETRY=1",
            "START SLAVE",
        )


@contextmanager
def mariadb(certificate: Path) -> Iterator[MariaDb]:
    """A server at loopback that speaks TLS with ``certificate`` (PEM, with its key)."""
    with daemons.home("mariadb", owner=_USER) as home:
        port, cluster_port = daemons.free_port(), daemons.free_port()
        _install(home)
        own = Path(shutil.copy(certificate, home / "server.pem"))
        daemons.give(own, to=_USER)
        command = [*_command(home, port=port, cluster_port=cluster_port), f"--ssl-cert={own}", f"--ssl-key={own}"]
        with daemons.running(command, home=home, user=_USER, ready=lambda: _greets(port)) as daemon:
            server = MariaDb(daemon=daemon, port=port)
            server.tell(_SETUP)
            yield server


def _install(home: Path) -> None:
    subprocess.run(
        [
            *("mariadb-install-db", "--no-defaults", f"--user={_USER}", f"--datadir={home}/data"),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip


def _command(home: Path, *, port: int, cluster_port: int) -> list[str]:
    return [
        *("mariadbd", "--no-defaults", f"--datadir={home}/data", f"--socket={home}/socket", f"--pid-file={home}/pid"),
        *(f"--bind-address={ADDRESS}", f"--port={port}", "--skip-name-resolve", "--character-set-server=utf8mb4"),
        *("--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0"),
        *("--innodb-flush-method=nosync", "--aria-log-file-size=8M", "--key-buffer-size=1M", "--performance-schema=0"),
        *("--wsrep-on=ON", f"--wsrep-provider={_PROVIDER}", "--wsrep-cluster-address=gcomm://"),
        f"--wsrep-provider-options=gmcast.listen_addr=tcp://{ADDRESS}:{cluster_port};gcache.size=2M",
        *(f"--wsrep-node-address={ADDRESS}", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2"),
        *("--log-bin=binlog", "--server-id=1", "--replicate-same-server-id=1", "--log-slave-updates=0"),
        "--plugin-load-add=auth_ed25519",
    ]


def _greets(port: int) -> bool:
    """Whether it lets people in: it accepts before the node is synced."""
    try:
        with socket.create_connection((ADDRESS, port), timeout=1) as trial:
            return len(trial.recv(64)) > 20
    except OSError:
        return False
