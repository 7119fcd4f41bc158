"""Squid: a forward proxy with two ports, one of which wants credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.servers.daemons import Daemon, free_port, give, home, running

USER, PASSWORD = "monitor", "secret"
_USERS = f"{USER}:$apr1$lvsagent$mPz7jPILoIcQfVpib3Ol1/\n"


class Squid(NamedTuple):
    """The daemon, its open port, and the guarded one."""

    daemon: Daemon
    port: int
    guarded: int


@contextmanager
def squid() -> Iterator[Squid]:
    """The daemon.  It goes anywhere but to paths with "forbidden" in them, and keeps nothing."""
    port, guarded = free_port(), free_port()
    with home("squid", owner="proxy") as directory:
        (directory / "users").write_text(_USERS)
        configuration = directory / "squid.conf"
        configuration.write_text(f"""
            http_port 127.0.0.1:{port} name=open
            http_port 127.0.0.1:{guarded} name=guarded
            auth_param basic program /usr/lib/squid/basic_ncsa_auth {directory}/users
            auth_param basic children 1 startup=0 idle=1
            acl guarded myportname guarded
            acl known proxy_auth REQUIRED
            acl forbidden urlpath_regex forbidden
            http_access deny forbidden
            http_access deny guarded !known
            http_access allow all
            cache deny all
            cache_mem 8 MB
            access_log stdio:{directory}/access.log
            cache_log {directory}/cache.log
            pid_filename {directory}/pid
            coredump_dir {directory}
            netdb_filename none
            pinger_enable off
            max_filedescriptors 256
            shutdown_lifetime 0 seconds
            visible_hostname squid.example.org
        """)
        for path in (directory / "users", configuration):
            give(path, to="proxy")
        command = ["/usr/sbin/squid", "-N", "-f", str(configuration)]
        with running(command, home=directory, ready=port, user="proxy") as daemon:
            yield Squid(daemon, port, guarded)
