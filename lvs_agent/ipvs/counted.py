"""The counters of a row and the kernel's estimates of its rates, from a netlink attribute.  Pure."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence

from lvs_agent.ipvs.uapi import Stat
from lvs_agent.ipvs.wire import number, walk
from lvs_agent.model.statistics import Counters, Rates

_NO_COUNTERS = Counters()
_NO_TRAFFIC = Rates()
_ALL = tuple(Stat)
_USUAL = struct.Struct("=" + "IQ" * len(_ALL))
"""Headers of attributes and their numbers, alternating."""
_USUAL_HEADERS = _USUAL.unpack(b"".join(number(kind, 0, 8) for kind in _ALL))[::2]


def read_counted(payload: bytes | None) -> tuple[Counters, Rates | None]:
    """The counters and rates in an attribute ``STATS64``.

    A kernel before 4.1 does not have this attribute: then there are neither counters nor rates, because its 32-bit
    counters wrap unnoticed.
    """
    if payload is None:
        return _NO_COUNTERS, None
    return counted_of(_numbers(payload))


def counted_of(numbers: Sequence[int]) -> tuple[Counters, Rates]:
    """The counters and rates from ``numbers`` in the order of ``Stat``."""
    connections, packets_in, packets_out, bytes_in, bytes_out, *rates = numbers
    counters = Counters(
        connections=connections,
        incoming_packets=packets_in,
        outgoing_packets=packets_out,
        incoming_bytes=bytes_in,
        outgoing_bytes=bytes_out,
    )
    return counters, _rates(*rates)


def _numbers(payload: bytes) -> Sequence[int]:
    """The numbers in the order of ``Stat``; 0 for what is missing.

    Every kernel so far writes all of them, in this order and without padding.  Then one call unpacks them, because a
    table may have thousands of rows.
    """
    if len(payload) == _USUAL.size:
        fields = _USUAL.unpack(payload)
        if fields[::2] == _USUAL_HEADERS:
            return fields[1::2]
    found = walk(payload)
    return [int.from_bytes(found.get(kind, b""), sys.byteorder) for kind in _ALL]


def _rates(connections: int, packets_in: int, packets_out: int, bytes_in: int, bytes_out: int) -> Rates:
    if not (connections or packets_in or packets_out or bytes_in or bytes_out):
        return _NO_TRAFFIC
    return Rates(
        connections=connections,
        incoming_packets=packets_in,
        outgoing_packets=packets_out,
        incoming_bytes=bytes_in,
        outgoing_bytes=bytes_out,
    )
