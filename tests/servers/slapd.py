"""OpenLDAP's slapd with a few entries: plain with StartTLS on one port, TLS from the start on another."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, Daemon, accepts, free_port, give, home, running

BASE = "dc=example,dc=com"
ADMINISTRATOR, PASSWORD = f"cn=admin,{BASE}", "s3cret"
HIDDEN = f"ou=hidden,{BASE}"
"""An entry that only who has logged in may see."""

_USER = "openldap"
_CONFIGURATION = """
include /etc/ldap/schema/core.schema
pidfile {home}/slapd.pid
argsfile {home}/slapd.args
TLSCertificateFile {home}/server.pem
TLSCertificateKeyFile {home}/server.pem
database ldif
suffix "{base}"
directory {home}/entries
rootdn "{administrator}"
rootpw {password}
access to dn.base="{hidden}" by users read by * none
access to * by * read
"""
_ENTRIES = """
dn: {base}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {hidden}
objectClass: organizationalUnit
ou: hidden
"""


class Slapd(NamedTuple):
    """The daemon, and its ports."""

    daemon: Daemon
    plain: int
    tls: int


@contextmanager
def slapd(certificate: Path) -> Iterator[Slapd]:
    """The server; ``certificate`` is a PEM file with its key."""
    plain, tls = free_port(), free_port()
    listeners = f"ldap://{ADDRESS}:{plain}/ ldaps://{ADDRESS}:{tls}/"
    with home("slapd", owner=_USER) as directory:
        configuration = _prepared(directory, certificate)
        command: list[str | Path] = ["slapd", "-d", "0", "-h", listeners, "-f", configuration]
        with running(command, home=directory, ready=lambda: accepts(plain) and accepts(tls), user=_USER) as daemon:
            yield Slapd(daemon, plain, tls)


def _prepared(directory: Path, certificate: Path) -> Path:
    words = {
        "home": directory, "base": BASE, "administrator": ADMINISTRATOR, "password": PASSWORD, "hidden": HIDDEN,
    }  # fmt: skip
    configuration, entries = directory / "slapd.conf", directory / "entries"
    configuration.write_text(_CONFIGURATION.format(**words))
    shutil.copyfile(certificate, directory / "server.pem")
    entries.mkdir()
    command: list[str | Path] = ["/usr/sbin/slapadd", "-f", configuration]
    subprocess.run(command, input=_ENTRIES.format(**words), text=True, check=True, capture_output=True)
    for path in (directory / "server.pem", entries, *entries.rglob("*")):
        give(path, to=_USER)
    return configuration
