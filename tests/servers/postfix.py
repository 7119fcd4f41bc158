"""Postfix: smtp, and submission with STARTTLS and the logins of a Dovecot."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.daemons import ADDRESS, Daemon, accepts, free_port, give, home, running

_MAIN = """
compatibility_level = 3.6
myhostname = mail.example.com
mydestination =
inet_interfaces = {address}
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file_prefixes = {home}
maillog_file = {home}/mail.log
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {certificate}
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
"""
_MASTER = """
{address}:{smtp} inet n - n - - smtpd
{address}:{submission} inet n - n - - smtpd
    -o smtpd_tls_security_level=may
    -o smtpd_sasl_auth_enable=yes
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
"""
_OWNER, _GROUP = "postfix", "postdrop"
_QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postfix:
    """A running Postfix, and its ports by the kind of check."""

    daemon: Daemon
    ports: dict[str, int]

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.daemon.home / "mail.log").read_text()


@contextmanager
def postfix(certificate: Path, *, sasl: Path) -> Iterator[Postfix]:
    """Postfix with the certificate (PEM, with its key), and the socket that knows who may log in."""
    ports = {kind: free_port() for kind in ("smtp", "submission")}
    with home("postfix") as directory:
        values = {"home": directory, "address": ADDRESS, "certificate": certificate, "sasl": sasl, **ports}
        (directory / "main.cf").write_text(_MAIN.format_map(values))
        (directory / "master.cf").write_text(_MASTER.format_map(values))
        _make_queue(directory)
        command: list[str | Path] = ["/usr/lib/postfix/sbin/master", "-c", directory, "-d"]
        with running(command, home=directory, ready=lambda: all(map(accepts, ports.values()))) as daemon:
            yield Postfix(daemon=daemon, ports=ports)


def _make_queue(directory: Path) -> None:
    """The directories that the package's installation makes elsewhere, with their owners."""
    for name in ("data", "queue"):
        (directory / name).mkdir()
    (directory / "queue" / "pid").mkdir()
    give(directory / "data", to=_OWNER)
    for name in _QUEUES:
        (directory / "queue" / name).mkdir(mode=0o700)
        give(directory / "queue" / name, to=_OWNER)
    for name, mode in (("public", 0o2710), ("maildrop", 0o1730)):
        path = directory / "queue" / name
        path.mkdir()
        os.chown(path, pwd.getpwnam(_OWNER).pw_uid, grp.getgrnam(_GROUP).gr_gid)
        path.chmod(mode)
