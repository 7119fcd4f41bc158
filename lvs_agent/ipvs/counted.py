"""What the kernel has counted of a row, from its netlink attribute: counters, and its estimates of rates.  Pure."""

from __future__ import annotations

import sys

from lvs_agent.ipvs.uapi import Stat
from lvs_agent.ipvs.wire import walk
from lvs_agent.model.statistics import Counters, Rates

_NO_COUNTERS = Counters()
_NO_TRAFFIC = Rates()
_ALL = tuple(Stat)


def read_counted(payload: bytes | None) -> tuple[Counters, Rates | None]:
    """What an attribute ``STATS64`` says, in which the kernel nests everything.

    A kernel before 4.1 has none: then there are neither counters nor rates, because its 32-bit ones wrap unnoticed.
    """
    if payload is None:
        return _NO_COUNTERS, None
    found = walk(payload)
    numbers = [int.from_bytes(found.get(kind, b""), sys.byteorder) for kind in _ALL]
    connections, packets_in, packets_out, bytes_in, bytes_out, *rates = numbers
    counters = Counters(
        connections=connections,
        incoming_packets=packets_in,
        outgoing_packets=packets_out,
        incoming_bytes=bytes_in,
        outgoing_bytes=bytes_out,
    )
    return counters, _rates(*rates)


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
