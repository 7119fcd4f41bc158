"""Decodes the destinations of repeated readings of a table, without decoding unchanged parts again.  Pure.

A scrape reads thousands of rows in which only the counters have changed.  The kernel writes the counters at the end of
a row.  The bytes before them, the head of the row, hold everything else: a known head identifies the destination, so
only the numbers after it are unpacked.  Rows of any other shape are decoded by ``decode_destination``, with the same
result.

The head may contain any attributes, so this works for all kernels from 4.1 on (``ip_vs_genl_fill_dest``), which differ
in the attributes before the numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from lvs_agent.errors import Unavailable
from lvs_agent.ipvs.codec import decode_destination, destination_of
from lvs_agent.ipvs.counted import counted_of
from lvs_agent.ipvs.uapi import Dest, Stat, Top
from lvs_agent.ipvs.wire import Attributes, attribute, nested, number, number_bytes, walk
from lvs_agent.model.ipvs import Destination, Family
from lvs_agent.model.statistics import DestinationStatistics

Heads = Mapping[tuple[bytes, int], Destination]
"""Destinations by the head of their rows and the address family, which the kernel writes among the numbers."""
DestinationRow = tuple[Destination, DestinationStatistics]

_STATS32 = 22 * 4
_TAIL = struct.Struct(f"=II II II IH2x I{_STATS32}s QQ {'IQ' * (len(Stat) - 1)}")
"""Headers and their payloads, alternating.  The two headers before the first counter are taken as one."""
_HEADERS = _TAIL.unpack(
    b"".join(
        (
            *(number(kind, 0, 4) for kind in (Dest.ACTIVE_CONNS, Dest.INACT_CONNS, Dest.PERSIST_CONNS)),
            number(Dest.ADDR_FAMILY, 0, 2),
            attribute(Dest.STATS, bytes(_STATS32)),
            nested(Dest.STATS64, *(number(kind, 0, 8) for kind in Stat)),
        )
    )
)[::2]
_ACTIVE, _INACTIVE, _PERSISTENT, _FAMILY, _COUNTED = 1, 3, 5, 7, slice(11, None, 2)
"""Positions of the numbers in the unpacked tuple."""
_OUTER = 8
"""Bytes before a row's first attribute: the generic netlink header, and the header of the outer attribute."""


class DestinationReader:
    """Decodes one reading.  ``last`` is ``seen`` of the previous reading; it only makes this one faster.

    ``seen`` grows by one entry for each row at most.
    """

    def __init__(self, last: Heads) -> None:
        self._last = last
        self.seen: dict[tuple[bytes, int], Destination] = {}

    def read(self, payload: bytes, *, family: Family) -> DestinationRow | None:
        """Decode one row, with the same result as ``decode_destination``."""
        end = len(payload) - _TAIL.size
        if end < _OUTER:
            return decode_destination(payload, family=family)
        fields = _TAIL.unpack_from(payload, end)
        if fields[::2] != _HEADERS:
            return decode_destination(payload, family=family)
        head = payload[:end], fields[_FAMILY]
        destination = self._last.get(head)
        if destination is None:
            found = _attributes_of_head(payload, end)
            if found is None:
                return decode_destination(payload, family=family)
            found[Dest.ADDR_FAMILY] = number_bytes(fields[_FAMILY], 2)
            destination = destination_of(found, family=family)
            if destination is None:
                return None
        self.seen[head] = destination
        counters, rates = counted_of(fields[_COUNTED])
        return destination, DestinationStatistics(
            counters=counters,
            rates=rates,
            active_connections=fields[_ACTIVE],
            inactive_connections=fields[_INACTIVE],
            persistent_connections=fields[_PERSISTENT],
        )


def _attributes_of_head(payload: bytes, end: int) -> Attributes | None:
    """A row's attributes before ``end``.  None if they are incomplete, because then no attribute starts at ``end``.

    The numbers at ``end`` might otherwise be the inside of an unknown attribute.  If an attribute starts there in one
    row, one starts there in every row with the same bytes before ``end`` and the same length after it.
    """
    try:
        whole = len(walk(payload[_OUTER - 4 :]).get(Top.DEST, b"")) == len(payload) - _OUTER and end % 4 == 0
        return walk(payload[_OUTER:end]) if whole else None
    except Unavailable:
        return None
