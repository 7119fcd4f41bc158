"""nginx: HTTP/1.1 and HTTP/2, each with TLS and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.daemons import Daemon, free_port, home, running

BODY = "ready\n"
_PATHS = f"""
    location = / {{ return 200 "{BODY[:-1]}\\n"; }}
    location = /broken {{ return 500; }}
    location = /moved {{ return 302 /; }}
    location = /private {{ auth_basic "private"; auth_basic_user_file users; try_files /page =404; }}
"""
_USERS = "monitor:{PLAIN}secret\n"


class Nginx(NamedTuple):
    """The daemon, and its ports by the type of check that they are for."""

    daemon: Daemon
    http: int
    https: int
    http2: int
    http2_tls: int


@contextmanager
def nginx(certificate: Path) -> Iterator[Nginx]:
    """The daemon; ``certificate`` is a PEM file with its key."""
    http, https, http2, http2_tls = (free_port() for _ in range(4))
    with home("nginx") as directory:
        (directory / "users").write_text(_USERS)
        (directory / "page").write_text(BODY)
        configuration = directory / "nginx.conf"
        configuration.write_text(f"""
            daemon off;
            pid {directory}/pid;
            error_log stderr warn;
            worker_processes 1;
            events {{ worker_connections 64; }}
            http {{
                access_log {directory}/access.log;
                root {directory};
                client_body_temp_path {directory}/body;
                proxy_temp_path {directory}/proxy;
                fastcgi_temp_path {directory}/fastcgi;
                uwsgi_temp_path {directory}/uwsgi;
                scgi_temp_path {directory}/scgi;
                ssl_certificate {certificate};
                ssl_certificate_key {certificate};
                default_type text/plain;
                server {{ listen 127.0.0.1:{http}; {_PATHS} }}
                server {{ listen 127.0.0.1:{https} ssl; {_PATHS} }}
                server {{ listen 127.0.0.1:{http2} http2; {_PATHS} }}
                server {{ listen 127.0.0.1:{http2_tls} ssl http2; {_PATHS} }}
            }}
        """)
        command = ["/usr/sbin/nginx", "-p", str(directory), "-c", str(configuration), "-e", "stderr"]
        with running(command, home=directory, ready=http2_tls) as daemon:
            yield Nginx(daemon, http, https, http2, http2_tls)
