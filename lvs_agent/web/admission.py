"""Who may be connected to the web server: so many clients in all, so many of one address, and a few more for probes.

Clients beyond the limits are refused as soon as they are accepted, before a byte is read, except a few: those get an
answer at ``/livez`` and ``/readyz`` alone, so that probes of orchestrators work however many others there are.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

CONNECTIONS, CONNECTIONS_OF_ONE = 512, 64
"""Most connections in all, and of one address, by default."""
SPARE = 16
"""Connections beyond the limit, for probes; the newest ones."""
_NETWORK = 64
"""Bits of an IPv6 address that count as one client: a host has the rest for itself."""

VISIT = "visit"
"""The key of a request's state with its connection, a ``Visit``."""

Peer = tuple[Any, ...]
"""A client's socket address, as accept(2) gives it: no two connections at a time have the same one."""


@dataclass(slots=True)
class _Place:
    """A connection.  ``leave`` ends it.  ``is_busy``: a request is being answered.  ``is_trusted``: it stays."""

    client: str
    leave: Callable[[], object]
    is_spare: bool
    is_busy: bool = False
    is_trusted: bool = False


class Admission:
    """Every method is called in the web server's thread.

    Where there is no place left, the client with the most connections gives one up: first one that has nothing to be
    answered, and of these the one that was used longest ago.  So nobody is kept out by a few clients.
    """

    def __init__(self, *, most: int = CONNECTIONS, most_of_one: int = CONNECTIONS_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._places: dict[Peer, _Place] = {}
        self._of_client = Counter[str]()
        self._spare: dict[Peer, None] = {}
        self.refused = 0
        """Connections that were refused, or ended for another one, since somebody set it to 0."""

    def admit(self, peer: Peer, leave: Callable[[], object]) -> bool:
        """Whether this client may stay, until ``leave`` is called; another one may have to leave for it."""
        client = client_of(peer[0])
        if self._of_client[client] >= self._most_of_one and not self._one_leaves(client, of_itself=True):
            self.refused += 1
            return False
        is_spare = len(self._places) - len(self._spare) >= self._most and not self._one_leaves(client)
        if is_spare:
            if len(self._spare) >= SPARE:
                self._dismiss(next(iter(self._spare)))
            self._spare[peer] = None
        self._places[peer] = _Place(client, leave, is_spare)
        self._of_client[client] += 1
        return True

    def is_spare(self, peer: Peer) -> bool:
        """Whether a connection is beyond the limit."""
        place = self._places.get(peer)
        return place is None or place.is_spare

    def trust(self, peer: Peer) -> None:
        """Let a connection have a place that it need not give up for others."""
        if (place := self._places.get(peer)) is not None:
            place.is_trusted, place.is_spare = True, False
            self._spare.pop(peer, None)

    def set_busy(self, peer: Peer, *, busy: bool) -> None:
        """A request of a connection is being answered, or no longer."""
        if (place := self._places.pop(peer, None)) is not None:
            place.is_busy = busy
            self._places[peer] = place  # the last one: it was used last

    def forget(self, peer: Peer) -> None:
        """A connection has ended."""
        if (place := self._places.pop(peer, None)) is None:
            return
        self._spare.pop(peer, None)
        self._of_client[place.client] -= 1
        if not self._of_client[place.client]:
            del self._of_client[place.client]

    def _one_leaves(self, newcomer: str, *, of_itself: bool = False) -> bool:
        """End the connection that can best be missed; False where none can."""
        has = self._of_client[newcomer]
        best: tuple[int, bool] | None = None
        chosen: Peer | None = None
        for peer, place in self._places.items():
            count = self._of_client[place.client]
            if place.is_spare or place.is_trusted or (place.client != newcomer if of_itself else count <= has):
                continue
            if of_itself and place.is_busy:
                continue
            if best is None or (count, not place.is_busy) > best:
                best, chosen = (count, not place.is_busy), peer
        if chosen is not None:
            self._dismiss(chosen)
        return chosen is not None

    def _dismiss(self, peer: Peer) -> None:
        self.refused += 1
        leave = self._places[peer].leave
        self.forget(peer)
        leave()


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection as those see it who answer its requests."""

    admission: Admission
    peer: Peer

    @property
    def is_spare(self) -> bool:
        """Whether it is beyond the limit."""
        return self.admission.is_spare(self.peer)

    def trust(self) -> None:
        """Let it have a place, and keep it: the client has given the right password."""
        self.admission.trust(self.peer)


def client_of(address: str) -> str:
    """Whose connection it is: the address, or the network of an IPv6 address, of which one host has all."""
    parsed = ip_address(address.partition("%")[0])
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> (128 - _NETWORK) << (128 - _NETWORK)))


class Door(socket.socket):
    """A listening socket that gives out only admitted clients.  Made of one that listens, whose descriptor it takes."""

    def __init__(self, listener: socket.socket, admission: Admission) -> None:
        super().__init__(listener.family, listener.type, listener.proto, fileno=listener.detach())
        self._admission = admission

    def listen(self, _backlog: int = 0, /) -> None:
        """Go on as it is: for the event loop, the backlog is the number of clients that it accepts before it turns."""

    def accept(self) -> tuple[socket.socket, Any]:
        """Give out the next client that is admitted, and its address.  Raises OSError, BlockingIOError among them."""
        while True:
            accepted, peer = super().accept()
            client = _Admitted(accepted, peer, self._admission)
            if self._admission.admit(peer, client.leave):
                return client, peer
            client.close()


class _Admitted(socket.socket):
    """The socket of a client, whose place is free once it is closed."""

    def __init__(self, accepted: socket.socket, peer: Peer, admission: Admission) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._peer, self._admission = peer, admission

    def leave(self) -> None:
        """Say good-bye; whoever uses the socket then closes it."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        self._admission.forget(self._peer)
        super().close()
