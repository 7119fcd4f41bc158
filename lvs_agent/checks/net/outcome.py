"""The meaning of an ``OSError`` of a probe: the server failed, or a local error prevented the probe (errored).

The rule: an error that came from the server or from the path to it is the server's failure; an error that the local
kernel raised before anything was sent is a local error.  EHOSTUNREACH comes from the path (a router's ICMP message, or
a neighbour that does not answer ARP), so it is a failure; ENETUNREACH is a missing local route.
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
        errno.EPERM: ErrorReason.NOT_PERMITTED,  # a rule of the local firewall
        errno.EACCES: ErrorReason.NOT_PERMITTED,  # a local route of the type prohibit
        errno.ENOENT: ErrorReason.FILE_MISSING,
        errno.ENOTDIR: ErrorReason.FILE_MISSING,
        errno.EISDIR: ErrorReason.FILE_MISSING,
        errno.EAGAIN: ErrorReason.BUSY,
    }
)


def outcome_of(problem: OSError) -> Failed | Errored:
    """The result of a probe that ended with ``problem``.  An unexpected errno counts as a local error."""
    number = problem.errno or 0
    reason = _SERVERS.get(number)
    if reason is not None:
        return Failed(reason, _words(number))
    return Errored(_OURS.get(number, ErrorReason.INTERNAL), _words(number) if number else str(problem))


def _words(number: int) -> str:
    return os.strerror(number).lower()
