"""What an ``OSError`` of a probe means: something about the server (failed), or something about us (errored).

The rule: an answer came from the server or from the path to it, so it is the server's; what our own kernel refused
before anything was sent is ours.  An EHOSTUNREACH is an answer (a router's ICMP message, or a neighbour that
does not answer ARP), so it is the server's; an ENETUNREACH is our own missing route.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from types import MappingProxyType

from lvs_agent.model.check import Errored, ErrorReason, Failed, FailureReason

_SERVERS: Mapping[int, FailureReason] = MappingProxyType(
    {
        errno.ECONNREFUSED: FailureReason.REFUSED,
        errno.EHOSTUNREACH: FailureReason.UNREACHABLE,
        errno.EHOSTDOWN: FailureReason.UNREACHABLE,
        errno.ENOPROTOOPT: FailureReason.UNREACHABLE,  # ICMP protocol unreachable (RFC 1122, 4.2.3.9)
        errno.EPROTO: FailureReason.PROTOCOL,
        errno.ECONNRESET: FailureReason.PROTOCOL,
        errno.ECONNABORTED: FailureReason.PROTOCOL,
        errno.EPIPE: FailureReason.PROTOCOL,
        errno.ENOTCONN: FailureReason.PROTOCOL,
        errno.ESHUTDOWN: FailureReason.PROTOCOL,
        errno.EMSGSIZE: FailureReason.PROTOCOL,
        errno.ETIMEDOUT: FailureReason.CONNECT_TIMEOUT,
    }
)

_OURS: Mapping[int, ErrorReason] = MappingProxyType(
    {
        errno.EMFILE: ErrorReason.NO_DESCRIPTORS,
        errno.ENFILE: ErrorReason.NO_DESCRIPTORS,
        errno.ENOMEM: ErrorReason.NO_MEMORY,
        errno.ENOBUFS: ErrorReason.NO_MEMORY,
        errno.ENETUNREACH: ErrorReason.NO_ROUTE,
        errno.ENETDOWN: ErrorReason.NO_ROUTE,
        errno.EAFNOSUPPORT: ErrorReason.NO_ROUTE,  # this kernel has no IPv6 (or no IPv4)
        errno.ENODEV: ErrorReason.NO_ROUTE,
        errno.EADDRNOTAVAIL: ErrorReason.NO_SOURCE_ADDRESS,
        errno.EADDRINUSE: ErrorReason.NO_SOURCE_ADDRESS,
        errno.EPERM: ErrorReason.NOT_PERMITTED,  # what a rule of our own firewall answers
        errno.EACCES: ErrorReason.NOT_PERMITTED,  # what a prohibit route of our own answers
        errno.ENOENT: ErrorReason.FILE_MISSING,
        errno.ENOTDIR: ErrorReason.FILE_MISSING,
        errno.EISDIR: ErrorReason.FILE_MISSING,
        errno.EAGAIN: ErrorReason.BUSY,
    }
)


def outcome_of(problem: OSError) -> Failed | Errored:
    """The result of a probe that ended with ``problem``.  An unexpected errno is ours: it proves nothing."""
    number = problem.errno or 0
    reason = _SERVERS.get(number)
    if reason is not None:
        return Failed(reason, _words(number))
    return Errored(_OURS.get(number, ErrorReason.INTERNAL), _words(number) if number else str(problem))


def _words(number: int) -> str:
    return os.strerror(number).lower()
