"""Kamailio: a SIP server over UDP, TCP and TLS that answers OPTIONS by whom they are for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import ADDRESS, Daemon, free_port, give, home, running

_USER = "kamailio"


class Kamailio(NamedTuple):
    """The daemon, and its ports by transport."""

    daemon: Daemon
    ports: Mapping[str, int]


@contextmanager
def kamailio(certificate: Path) -> Iterator[Kamailio]:
    """The server; ``certificate`` (PEM) has its key with it."""
    port, encrypted = free_port(), free_port()
    with home("kamailio", owner=_USER) as directory:
        pem, conf = directory / "server.pem", directory / "kamailio.cfg"
        shutil.copy(certificate, pem)
        conf.write_text(f"""#!KAMAILIO
            debug=1
            log_stderror=yes
            children=1
            tcp_children=1
            enable_tls=yes
            listen=udp:{ADDRESS}:{port}
            listen=tcp:{ADDRESS}:{port}
            listen=tls:{ADDRESS}:{encrypted}
            loadmodule "sl.so"
            loadmodule "pv.so"
            loadmodule "tls.so"
            modparam("tls", "tls_method", "TLSv1.2+")
            modparam("tls", "certificate", "{pem}")
            modparam("tls", "private_key", "{pem}")
            request_route {{
                if (method != "OPTIONS") {{
                    sl_send_reply("405", "Method Not Allowed");
                }} else if ($rU == "nobody") {{
                    sl_send_reply("404", "Not Found");
                }} else if ($rU == "member") {{
                    sl_send_reply("407", "Proxy Authentication Required");
                }} else if ($rU == "slow") {{
                    sl_send_reply("100", "Trying");
                    sl_send_reply("200", "Found it");
                }} else {{
                    sl_send_reply("200", "OK");
                }}
            }}
        """)
        for path in (pem, conf):
            give(path, to=_USER)
        command: list[str | Path] = [
            "kamailio",
            "-DD",
            "-E",
            "-m",
            "16",
            "-M",
            "4",
            "-Y",
            directory,
            "-w",
            directory,
            "-f",
            conf,
        ]
        with running(command, home=directory, ready=encrypted, user=_USER) as daemon:
            yield Kamailio(daemon, {"udp": port, "tcp": port, "tls": encrypted})
