"""One netlink socket to the kernel: sends requests and returns complete answers.

It handles sequence numbers, acknowledgements, dumps in several parts, and their errors.  The caller interprets the
attributes.
"""

from __future__ import annotations

import errno
import socket
import threading
import time

from lvs_agent.errors import IpvsError, NotPermitted, Unavailable, ipvs_error
from lvs_agent.ipvs import wire

_DATAGRAM = 1 << 16
_ATTEMPTS = 5


class _Interrupted(Exception):
    """The table changed during a dump, or part of an answer was lost."""


class Conversation:
    """Asks over ``link``, a netlink socket that is connected to the kernel.  One thread at a time.

    ``timeout_s`` limits the wait for each answer.  Errors are IpvsError; their message starts with ``doing``.
    """

    def __init__(self, link: socket.socket, *, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._sequence = 0

    def dump(self, *, family: int, command: int, version: int, attributes: bytes, doing: str) -> list[bytes]:
        """Payloads of all rows.  If the table changes during the dump, it is repeated."""
        for _ in range(_ATTEMPTS):
            try:
                return self._exchange(
                    family=family,
                    command=command,
                    version=version,
                    flags=wire.NLM_F_DUMP,
                    attributes=attributes,
                    doing=doing,
                )
            except _Interrupted:
                continue
        raise Unavailable(f"{doing}: interrupted {_ATTEMPTS} times", errno_name="EINTR")

    def request(self, *, family: int, command: int, version: int, attributes: bytes, doing: str) -> list[bytes]:
        """Payloads of the answer, if there are any.  A request is never repeated: it may have been applied."""
        try:
            return self._exchange(
                family=family,
                command=command,
                version=version,
                flags=wire.NLM_F_ACK,
                attributes=attributes,
                doing=doing,
            )
        except _Interrupted as error:
            raise Unavailable(f"{doing}: the answer was lost", errno_name="ENOBUFS") from error

    def close(self) -> None:
        """Close the socket."""
        self._link.close()

    def _exchange(
        self, *, family: int, command: int, version: int, flags: int, attributes: bytes, doing: str
    ) -> list[bytes]:
        """Send one message and collect the payloads up to its acknowledgement or the end of its dump."""
        with self._lock:
            self._sequence = self._sequence % 0xFFFFFFFF + 1
            message = wire.generic_request(
                family=family,
                command=command,
                version=version,
                flags=flags,
                sequence=self._sequence,
                attributes=attributes,
            )
            try:
                self._link.settimeout(self._timeout_s)
                self._link.send(message)
                return self._collect(deadline=time.monotonic() + self._timeout_s, doing=doing)
            except TimeoutError as error:
                text = f"{doing}: no answer within {self._timeout_s:g} s"
                raise Unavailable(text, errno_name="ETIMEDOUT") from error
            except OSError as error:
                name = errno.errorcode.get(error.errno or 0, "unknown")
                raise Unavailable(f"{doing}: {error.strerror}", errno_name=name) from error

    def _collect(self, *, deadline: float, doing: str) -> list[bytes]:
        payloads: list[bytes] = []
        interrupted = False
        while True:
            datagram = self._receive(deadline)
            # Skip the rest of an exchange that was abandoned.
            for message in wire.messages(datagram or b""):
                if message.sequence != self._sequence:
                    continue
                interrupted |= bool(message.flags & wire.NLM_F_DUMP_INTR)
                if message.type in (wire.NLMSG_ERROR, wire.NLMSG_DONE):
                    _finish(message, interrupted=interrupted, doing=doing)
                    return payloads
                payloads.append(message.payload)
            interrupted |= datagram is None

    def _receive(self, deadline: float) -> bytes | None:
        """The next datagram, or None if the socket's buffer overflowed and messages were lost."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._link.settimeout(left)
        try:
            return self._link.recv(_DATAGRAM)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return None
            raise


def _finish(message: wire.Message, *, interrupted: bool, doing: str) -> None:
    """Raise the error of the last message of an answer, if it has one."""
    number = wire.error_number(message.payload)
    # EBUSY: the socket still has a dump that was abandoned, until that has been read.
    if interrupted or number == errno.EBUSY:
        raise _Interrupted
    if number:
        raise _explained(ipvs_error(number, doing))


def _explained(error: IpvsError) -> IpvsError:
    if isinstance(error, NotPermitted):
        return NotPermitted(f"{error}: this needs the capability CAP_NET_ADMIN", errno_name=error.errno_name)
    return error
