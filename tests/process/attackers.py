"""A program of clients that want to keep the agent from its work: ``python -m tests.process.attackers HOST PORT``.

It says "ready" once the connections that do nothing are there, and ends with its standard input.
"""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress

import httpx

IDLE, HALF, STALLED, GUESSERS, ENDLESS = 1_000, 1_000, 260, 4, 6
GUESSES_A_SECOND = 100.0
PATIENCE_S = 40.0


class Attack:
    """Everything at once, from many addresses of this host, until it is closed."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._stack = ExitStack()
        self._is_over = threading.Event()
        self._hosts = itertools.cycle(range(2, 250))
        self.guesses = 0

    def begin(self) -> None:
        """Connect, and begin to send."""
        for _ in range(IDLE):
            self._connect()
        for _ in range(HALF):
            with suppress(OSError):
                self._connect().send(b"\x16\x03\x01\x02")
        for _ in range(STALLED):
            self._stall()
        for work in (*[self._guess] * GUESSERS, *[self._send_headers] * ENDLESS):
            thread = threading.Thread(target=self._again_and_again, args=(work,))
            thread.start()
            self._stack.callback(thread.join)
        self._stack.callback(self._is_over.set)

    def end(self) -> None:
        """Leave."""
        self._stack.close()

    def _connect(self) -> socket.socket:
        host = f"127.0.7.{next(self._hosts)}"
        return self._stack.enter_context(socket.create_connection(self._address, PATIENCE_S, source_address=(host, 0)))

    def _stall(self) -> None:
        """Say hello, and nothing more."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = ssl._create_unverified_context().wrap_bio(incoming, outgoing)
        with suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        with suppress(OSError):
            self._connect().sendall(outgoing.read())

    def _again_and_again(self, work: Callable[[], None]) -> None:
        while not self._is_over.is_set():
            with suppress(OSError, httpx.HTTPError):
                work()
            self._is_over.wait(0.05)

    def _guess(self) -> None:
        """Wrong passwords, no two of them equal."""
        with httpx.Client(verify=False, trust_env=False, timeout=1.0) as client:
            while not self._is_over.wait(GUESSERS / GUESSES_A_SECOND):
                self.guesses += 1
                guess = f"{threading.get_ident()} {self.guesses}"
                client.get("https://{}:{}/metrics".format(*self._address), auth=("ann", guess))

    def _send_headers(self) -> None:
        """A request whose head does not end."""
        with socket.create_connection(self._address, 1.0) as plain:
            client = ssl._create_unverified_context().wrap_socket(plain)
            client.sendall(b"GET / HTTP/1.1\r\n")
            while not self._is_over.is_set():
                client.sendall(b"a: b\r\n" * 5_000)


def main() -> None:
    """Attack until there is no more input."""
    os.nice(10)  # as if it were on another machine
    host, port = sys.argv[1:]
    attack = Attack((host, int(port)))
    attack.begin()
    print("ready", flush=True)
    sys.stdin.read()
    attack.end()
    print(attack.guesses)


if __name__ == "__main__":
    main()
