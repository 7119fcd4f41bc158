"""Netlink framing: messages and attributes as bytes, for any generic netlink family.  Pure.

Sources: ``include/uapi/linux/netlink.h``, ``include/uapi/linux/genetlink.h``.  Numbers are in the machine's byte
order; the kernel aligns everything to four bytes.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from lvs_agent.errors import Unavailable

NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x001, 0x004, 0x010, 0x300
GENL_ID_CTRL = 0x10

_MESSAGE = struct.Struct("=IHHII")
_GENERIC = struct.Struct("=BBH")
_ATTRIBUTE = struct.Struct("=HH")
_INT = struct.Struct("=i")
_TYPE_MASK = 0x3FFF

Attributes = dict[int, bytes]
"""Payload by attribute type.  If a type is repeated, the last one counts, as in the kernel's own parser."""


class Message(NamedTuple):
    """One netlink message.  ``payload`` is everything after the netlink header."""

    type: int
    flags: int
    sequence: int
    payload: bytes


def unreadable(what: str) -> Unavailable:
    """The error for a malformed reply."""
    return Unavailable(f"unreadable reply of the kernel: {what}", errno_name="EBADMSG")


def generic_request(*, family: int, command: int, version: int, flags: int, sequence: int, attributes: bytes) -> bytes:
    """A whole request to a generic netlink family."""
    length = _MESSAGE.size + _GENERIC.size + len(attributes)
    header = _MESSAGE.pack(length, family, flags | NLM_F_REQUEST, sequence, 0)
    return header + _GENERIC.pack(command, version, 0) + attributes


def messages(datagram: bytes) -> Iterator[Message]:
    """The messages in one datagram.  Raises Unavailable if a length is invalid."""
    offset, end = 0, len(datagram)
    while offset + _MESSAGE.size <= end:
        length, kind, flags, sequence, _port = _MESSAGE.unpack_from(datagram, offset)
        if length < _MESSAGE.size or offset + length > end:
            raise unreadable(f"message of {length} bytes")
        yield Message(kind, flags, sequence, datagram[offset + _MESSAGE.size : offset + length])
        offset += (length + 3) & ~3


def error_number(payload: bytes) -> int:
    """The errno (0 for an acknowledgement) that an NLMSG_ERROR or NLMSG_DONE message carries."""
    return -int(_INT.unpack_from(payload)[0]) if len(payload) >= _INT.size else 0


def generic_attributes(payload: bytes) -> Attributes:
    """The attributes after the generic netlink header of a message's payload."""
    if len(payload) < _GENERIC.size:
        raise unreadable("no generic netlink header")
    return walk(payload[_GENERIC.size :])


def walk(data: bytes) -> Attributes:
    """The attributes in ``data``.  Raises Unavailable if a length is invalid."""
    found: Attributes = {}
    unpack, offset, end = _ATTRIBUTE.unpack_from, 0, len(data)
    while offset + 4 <= end:
        length, kind = unpack(data, offset)
        stop: int = offset + length
        if length < 4 or stop > end:
            raise unreadable(f"attribute of {length} bytes")
        found[kind & _TYPE_MASK] = data[offset + 4 : stop]
        offset = (stop + 3) & ~3
    return found


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """One attribute made of others."""
    return attribute(kind, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """One attribute that holds a zero-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int, size: int) -> bytes:
    """One attribute that holds an unsigned number of ``size`` bytes.  Raises OverflowError if it does not fit."""
    return attribute(kind, number_bytes(value, size))


def number_bytes(value: int, size: int) -> bytes:
    """An unsigned number in the machine's byte order.  Raises OverflowError if it does not fit."""
    return value.to_bytes(size, sys.byteorder)


def read_number(found: Attributes, kind: int, *, size: int, default: int | None = None) -> int:
    """The unsigned number of ``size`` bytes, or ``default`` for a missing attribute; otherwise raises Unavailable."""
    payload = found.get(kind)
    if payload is None and default is not None:
        return default
    if payload is None or len(payload) != size:
        raise unreadable(f"attribute {kind} is {'missing' if payload is None else 'of the wrong size'}")
    return int.from_bytes(payload, sys.byteorder)


def read_text(found: Attributes, kind: int, default: str = "") -> str:
    """The zero-terminated string, or ``default`` if the attribute is missing."""
    payload = found.get(kind)
    return default if payload is None else payload.split(b"\0", 1)[0].decode(errors="replace")
