"""Echo requests, their replies and the errors about them, as bytes (RFC 792, RFC 4443).  No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lvs_agent.model.ipvs import Family

_ECHO = struct.Struct("!BBHHH")
_IPV6_HEADER = 40
_ICMPV6 = 58
_ECHO_REQUEST = {Family.INET: 8, Family.INET6: 128}
_ECHO_REPLY = {Family.INET: 0, Family.INET6: 129}
_UNREACHABLE = {Family.INET: 3, Family.INET6: 1}
_PROBLEMS = {Family.INET: frozenset({3, 11, 12}), Family.INET6: frozenset({1, 2, 3, 4})}

_WORDS = {
    (Family.INET, 0): "network unreachable",
    (Family.INET, 1): "host unreachable",
    (Family.INET, 2): "protocol unreachable",
    (Family.INET, 9): "network administratively prohibited",
    (Family.INET, 10): "host administratively prohibited",
    (Family.INET, 13): "administratively prohibited",
    (Family.INET6, 0): "no route to the destination",
    (Family.INET6, 1): "administratively prohibited",
    (Family.INET6, 3): "address unreachable",
    (Family.INET6, 4): "port unreachable",
}


@dataclass(frozen=True, slots=True)
class EchoReply:
    """An answer to an echo request.  ``identifier`` is the kernel's on a datagram socket."""

    identifier: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class EchoProblem:
    """An ICMP error: why an echo request did not arrive."""

    identifier: int
    sequence: int
    detail: str


def echo_request(family: Family, *, identifier: int, sequence: int, payload: bytes) -> bytes:
    """An ICMP or ICMPv6 message.  The kernel fills in the checksum of ICMPv6."""
    kind = _ECHO_REQUEST[family]
    message = _ECHO.pack(kind, 0, 0, identifier, sequence) + payload
    if family is Family.INET6:
        return message
    return _ECHO.pack(kind, 0, checksum(message), identifier, sequence) + payload


def parse(family: Family, packet: bytes, *, with_ip_header: bool = False) -> EchoReply | EchoProblem | None:
    """The reply or error in a received message; None if it is about something else.  Accepts any bytes."""
    message = _without_ipv4_header(packet) if with_ip_header else packet
    if len(message) < _ECHO.size:
        return None
    kind, code, _, identifier, sequence = _ECHO.unpack_from(message)
    if kind == _ECHO_REPLY[family] and code == 0:
        return EchoReply(identifier, sequence, message[_ECHO.size :])
    if kind not in _PROBLEMS[family]:
        return None
    quoted = _quoted_request(family, message[_ECHO.size :])
    if quoted is None:
        return None
    return EchoProblem(*quoted, problem_words(family, kind=kind, code=code))


def problem_words(family: Family, *, kind: int, code: int) -> str:
    """What an ICMP error means, in words."""
    if kind == _UNREACHABLE[family]:
        return _WORDS.get((family, code), f"destination unreachable, code {code}")
    return f"ICMP error of type {kind}, code {code}"


def checksum(message: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = message + b"\0" * (len(message) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _quoted_request(family: Family, quoted: bytes) -> tuple[int, int] | None:
    """Identifier and sequence of the echo request that an ICMP error quotes."""
    if family is Family.INET:
        message = _without_ipv4_header(quoted)
    elif len(quoted) > _IPV6_HEADER and quoted[6] == _ICMPV6:
        message = quoted[_IPV6_HEADER:]
    else:
        return None
    if len(message) < _ECHO.size:
        return None
    kind, _, _, identifier, sequence = _ECHO.unpack_from(message)
    return (identifier, sequence) if kind == _ECHO_REQUEST[family] else None


def _without_ipv4_header(packet: bytes) -> bytes:
    """The payload of an IPv4 packet; empty if it is not one."""
    size = (packet[0] & 0x0F) * 4 if packet and packet[0] >> 4 == 4 else 0
    return packet[size:] if size >= 20 else b""
