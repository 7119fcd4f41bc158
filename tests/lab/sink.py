"""A real server for what HTTP cannot test: SCTP that echoes, and TCP that discards any amount of data.

The line ``ready`` on standard output says that everything listens.
"""

from __future__ import annotations

import argparse
import socket
import threading
from collections.abc import Callable

_PIECE = 4 << 20


def echo(connection: socket.socket) -> None:
    """Send everything back."""
    while data := connection.recv(65_535):
        connection.sendall(data)


def discard(connection: socket.socket) -> None:
    """Receive everything, and let the kernel discard it without copying (MSG_TRUNC, see tcp(7))."""
    buffer = bytearray(_PIECE)
    while connection.recv_into(buffer, _PIECE, socket.MSG_TRUNC):
        pass


def serve(server: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    """Talk to one client after another, each in a thread of its own."""

    def one(connection: socket.socket) -> None:
        with connection:
            talk(connection)

    while True:
        connection, _ = server.accept()
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--sctp", type=int, required=True, metavar="PORT")
    parser.add_argument("--tcp", type=int, required=True, metavar="PORT")
    arguments = parser.parse_args()
    for port, protocol, talk in (
        (arguments.sctp, socket.IPPROTO_SCTP, echo),
        (arguments.tcp, socket.IPPROTO_TCP, discard),
    ):
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
        server.bind((arguments.address, port))
        server.listen()
        threading.Thread(target=serve, args=(server, talk), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
