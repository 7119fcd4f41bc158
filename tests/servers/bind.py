"""BIND: the master of example.com and of its reverse zone, which does nothing for other names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import Daemon, free_port, give, home, running

_USER = "bind"
_LONG = "\n".join(f'long  TXT  "{number:03}{"x" * 100}"' for number in range(20))
_ZONE = f"""
$TTL 60
@     SOA    ns1 root 7 3600 600 86400 60
@     NS     ns1
@     MX     10 mail
@     TXT    "v=spf1 " "-all"
ns1   A      127.0.0.1
mail  A      192.0.2.25
www   A      192.0.2.1
www   AAAA   2001:db8::1
alias CNAME  www
_sip._udp SRV 0 5 5060 sip
{_LONG}
"""
_REVERSE = """
$TTL 60
@     SOA    ns1.example.com. root.example.com. 7 3600 600 86400 60
@     NS     ns1.example.com.
1     PTR    www.example.com.
"""


class Bind(NamedTuple):
    """The daemon, and its port, on 127.0.0.1 and ::1."""

    daemon: Daemon
    port: int


@contextmanager
def bind() -> Iterator[Bind]:
    """The server."""
    port = free_port()
    with home("bind", owner=_USER) as directory:
        zones = {"example.com": _ZONE, "2.0.192.in-addr.arpa": _REVERSE}
        entries = "".join(f'zone "{name}" {{ type primary; file "{name}"; }};\n' for name in zones)
        files = {name: text.lstrip() for name, text in zones.items()} | {
            "named.conf": f"""
                options {{
                    directory "{directory}";
                    listen-on port {port} {{ 127.0.0.1; }};
                    listen-on-v6 port {port} {{ ::1; }};
                    recursion no; dnssec-validation no; pid-file none; session-keyfile none; querylog yes;
                }};
                controls {{ }};
                {entries}
            """
        }
        for name, text in files.items():
            (directory / name).write_text(text)
            give(directory / name, to=_USER)
        command: list[str | Path] = ["named", "-g", "-n", "1", "-c", directory / "named.conf"]
        with running(command, home=directory, ready=port, user=_USER) as daemon:
            yield Bind(daemon, port)
