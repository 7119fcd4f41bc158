"""The two messages of grpc.health.v1.Health/Check on the wire, without I/O.

Protocol Buffers encoding: protobuf.dev/programming-guides/encoding.  Framing: grpc/grpc, doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from lvs_agent.checks.kinds.http.response import ProtocolViolation

PATH = "/grpc.health.v1.Health/Check"
_FRAME_HEAD = 5
_SERVICE = b"\x0a"
"""Field 1, length-delimited: ``HealthCheckRequest.service``."""
_STATUS = 1
"""``HealthCheckResponse.status``."""
_FIXED_SIZES: Mapping[int, int] = MappingProxyType({1: 8, 5: 4})
"""Bytes of the wire types that have always as many."""
_LONGEST_VARINT = 10


class ServingStatus(Enum):
    """What a server says of a service."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


class Code(Enum):
    """Status codes of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


def request(service: str) -> bytes:
    """The framed question for ``service``; empty: for the server as a whole."""
    name = service.encode()
    message = _SERVICE + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def answer(body: bytes) -> ServingStatus | int:
    """The status in a framed answer, as a number where it has no name.  Raises ProtocolViolation."""
    if len(body) < _FRAME_HEAD or len(body) != _FRAME_HEAD + int.from_bytes(body[1:_FRAME_HEAD], "big"):
        raise ProtocolViolation(f"{len(body)} bytes of body that are not one message of gRPC")
    if body[0]:
        raise ProtocolViolation("the message is compressed, which was not offered")
    number = _status(body[_FRAME_HEAD:])
    return next((status for status in ServingStatus if status.value == number), number)


def code_of(text: str | None) -> Code | str:
    """The code in a ``grpc-status`` header; its text where it has no name, or is not there ("missing")."""
    return next((code for code in Code if str(code.value) == text), text or "missing")


def _status(message: bytes) -> int:
    """The last status in a message counts; unknown fields are skipped."""
    status, at = 0, 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        match tag & 7:
            case 0:
                value, at = _read_varint(message, at)
                status = value if tag >> 3 == _STATUS else status
            case 2:
                size, at = _read_varint(message, at)
                at += size
            case wire_type if wire_type in _FIXED_SIZES:
                at += _FIXED_SIZES[wire_type]
            case _:
                raise ProtocolViolation("not a message of Protocol Buffers")
    if at > len(message):
        raise ProtocolViolation("not a message of Protocol Buffers")
    return status


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number that starts ``at``, and where the next thing starts."""
    number = 0
    for place, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise ProtocolViolation("not a message of Protocol Buffers")


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
