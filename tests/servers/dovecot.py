"""Dovecot: imap, imaps, pop and pops, and the logins of Postfix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.daemons import ADDRESS, Daemon, accepts, free_port, give, home, running

USER, PASSWORD = "jürgen@example.com", 'gehe"im \\ß'
ELSEWHERE = "127.0.0.2"
"""An address of loopback that connections of ours do not come from: to Dovecot, what comes from itself is safe."""
_OWNER = "nobody"
_CONFIGURATION = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
listen = {address}, {elsewhere}, ::1
protocols = imap pop3
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_chars =
mail_location = maildir:{home}/mail
passdb {{
  driver = passwd-file
  args = {home}/passwords
}}
userdb {{
  driver = static
  args = uid={owner} gid=nogroup home={home}/mail
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {home}/sasl {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop}
  }}
  inet_listener pop3s {{
    port = {pops}
    ssl = yes
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dovecot:
    """A running Dovecot: its ports by the kind of check, and the socket for Postfix' logins."""

    daemon: Daemon
    ports: dict[str, int]
    sasl: Path

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.daemon.home / "dovecot.log").read_text()


@contextmanager
def dovecot(certificate: Path) -> Iterator[Dovecot]:
    """Dovecot with one user and the certificate (PEM, with its key), which must be readable for root alone."""
    ports = {kind: free_port() for kind in ("imap", "imaps", "pop", "pops")}
    with home("dovecot") as directory:
        mail = directory / "mail"
        mail.mkdir()
        give(mail, to=_OWNER)
        (directory / "passwords").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        text = _CONFIGURATION.format(
            home=directory, address=ADDRESS, elsewhere=ELSEWHERE, certificate=certificate, owner=_OWNER, **ports
        )
        configuration = directory / "dovecot.conf"
        configuration.write_text(text)
        command: list[str | Path] = ["/usr/sbin/dovecot", "-F", "-c", configuration]
        with running(command, home=directory, ready=lambda: all(map(accepts, ports.values()))) as daemon:
            yield Dovecot(daemon=daemon, ports=ports, sasl=directory / "sasl")
