"""A real server for scenario tests: HTTP that names the answering server, and UDP that echoes datagrams.

Every HTTP response carries its name in the header ``Real-Server``; ``/name`` answers with it alone, any other path
with that file of the directory.  A datagram comes back with the name in front: ``rs1 hello``.  The line ``ready`` on
standard output says that everything listens.
"""

from __future__ import annotations

import argparse
import os
import socket
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address


class DualStackServer(ThreadingHTTPServer):
    """Listens on every address of both families."""

    address_family = socket.AF_INET6
    request_queue_size = 256
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, *_: object) -> None:
        """Nothing: clients give up when they like."""


class Handler(SimpleHTTPRequestHandler):
    """Files, and the server's name."""

    name = ""

    def do_GET(self) -> None:
        if self.path != "/name":
            super().do_GET()
            return
        body = self.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        self.send_header("Real-Server", self.name)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the tests ask the clients."""


def echo(server: socket.socket, *, name: str) -> None:
    """Send every datagram back with ``name`` in front."""
    while True:
        data, client = server.recvfrom(65_535)
        server.sendto(name.encode() + b" " + data, client)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--udp", action="append", default=[], metavar="ADDRESS", help="also answer datagrams to it")
    arguments = parser.parse_args()
    os.chdir(arguments.directory)
    for text in arguments.udp:
        # One socket an address: an answer comes from where the question went.
        server = socket.socket(socket.AF_INET if ip_address(text).version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        server.bind((text, arguments.port))
        threading.Thread(target=echo, args=(server,), kwargs={"name": arguments.name}, daemon=True).start()
    Handler.name = arguments.name
    http = DualStackServer(("::", arguments.port), Handler)
    print("ready", flush=True)
    http.serve_forever()


if __name__ == "__main__":
    main()
