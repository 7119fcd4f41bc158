"""RADIUS packets of the radius check (RFC 2865, RFC 2869): pure, nothing is sent here."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from lvs_agent.model.ipvs import IPAddress

LONGEST = 4_096
"""Bytes of the longest packet (RFC 2865, 3)."""
LONGEST_VALUE = 253
"""Bytes of the longest value of an attribute (RFC 2865, 5)."""
LONGEST_PASSWORD = 128
"""Bytes of the longest password (RFC 2865, 5.2)."""
_HEADER = 20
_BLOCK = 16


class Code(IntEnum):
    """Kinds of packets (RFC 2865, 3) that the check sends or understands."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCESS_CHALLENGE = 11


class Attribute(IntEnum):
    """Attributes (RFC 2865, 5; RFC 2869, 5.14; RFC 3162, 2.1)."""

    USER_NAME = 1
    USER_PASSWORD = 2
    NAS_IP_ADDRESS = 4
    REPLY_MESSAGE = 18
    NAS_IDENTIFIER = 32
    MESSAGE_AUTHENTICATOR = 80
    NAS_IPV6_ADDRESS = 95


class Unanswered(Enum):
    """Why a datagram does not answer a request; the value says it to a person."""

    MALFORMED = "that is not a RADIUS packet"
    OTHER = "to another request"
    FORGED = "with a wrong authenticator: check the secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An Access-Request.  ``authenticator``: 16 unpredictable bytes; ``identifier``: 0 to 255."""

    identifier: int
    authenticator: bytes
    secret: bytes
    user: bytes
    password: bytes
    nas_identifier: bytes
    nas_address: IPAddress | None = None

    def packet(self) -> bytes:
        """The bytes to send.  Message-Authenticator comes first, so that no prefix can be forged for another packet."""
        attributes = [
            (Attribute.USER_NAME, self.user),
            (Attribute.USER_PASSWORD, hidden(self.password, secret=self.secret, authenticator=self.authenticator)),
            (Attribute.NAS_IDENTIFIER, self.nas_identifier),
        ]
        if self.nas_address is not None:
            kind = Attribute.NAS_IP_ADDRESS if self.nas_address.version == 4 else Attribute.NAS_IPV6_ADDRESS
            attributes.append((kind, self.nas_address.packed))
        return signed(
            Code.ACCESS_REQUEST, identifier=self.identifier, authenticator=self.authenticator,
            attributes=attributes, secret=self.secret,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply whose authenticators fit: its kind (a number where we do not know it), and its Reply-Message."""

    code: int
    message: str

    def __str__(self) -> str:
        known = {code.value: code.name.replace("_", "-").title() for code in Code}
        name = known.get(self.code, f"packet of type {self.code}")
        return f"{name}: {self.message}" if self.message else name


def reply_to(request: Request, packet: bytes) -> Reply | Unanswered:
    """What ``packet`` replies to ``request``, or why it is not a reply to it."""
    length = int.from_bytes(packet[2:4])
    if not _HEADER <= length <= min(len(packet), LONGEST):
        return Unanswered.MALFORMED
    packet = packet[:length]  # RFC 2865, 3: what follows is padding
    try:
        attributes = list(_attributes(packet))
    except ValueError:
        return Unanswered.MALFORMED
    if packet[1] != request.identifier:
        return Unanswered.OTHER
    if not _is_genuine(packet, attributes, request):
        return Unanswered.FORGED
    messages = [value.decode("utf-8", "replace") for kind, _, value in attributes if kind == Attribute.REPLY_MESSAGE]
    return Reply(packet[0], "".join(messages))


def hidden(password: bytes, *, secret: bytes, authenticator: bytes) -> bytes:
    """User-Password as RFC 2865, 5.2 hides it: 16 bytes at a time, each under a digest of what came before."""
    padded = password.ljust(-(-max(len(password), 1) // _BLOCK) * _BLOCK, b"\0")
    result, before = b"", authenticator
    for begin in range(0, len(padded), _BLOCK):
        before = _xor(padded[begin : begin + _BLOCK], _md5(secret + before))
        result += before
    return result


def signed(
    code: int, *, identifier: int, authenticator: bytes, attributes: Sequence[tuple[int, bytes]], secret: bytes
) -> bytes:
    """A packet that begins with its Message-Authenticator (RFC 2869, 5.14).

    ``authenticator`` is the request's, also for a reply, whose Response Authenticator goes in its place afterwards.
    """
    empty = _encoded(Attribute.MESSAGE_AUTHENTICATOR, bytes(_BLOCK))
    rest = b"".join(_encoded(kind, value) for kind, value in attributes)
    length = _HEADER + len(empty) + len(rest)
    header = bytes([code, identifier]) + length.to_bytes(2) + authenticator
    proof = _hmac(secret, header + empty + rest)
    return header + _encoded(Attribute.MESSAGE_AUTHENTICATOR, proof) + rest


def response_authenticator(packet: bytes, *, request_authenticator: bytes, secret: bytes) -> bytes:
    """What must stand in a reply (RFC 2865, 3)."""
    return _md5(packet[:4] + request_authenticator + packet[_HEADER:] + secret)


def _is_genuine(packet: bytes, attributes: Sequence[tuple[int, int, bytes]], request: Request) -> bool:
    expected = response_authenticator(packet, request_authenticator=request.authenticator, secret=request.secret)
    if not hmac.compare_digest(packet[4:_HEADER], expected):
        return False
    proofs = [(at, value) for kind, at, value in attributes if kind == Attribute.MESSAGE_AUTHENTICATOR]
    return all(_proves(packet, at=at, value=value, request=request) for at, value in proofs)


def _proves(packet: bytes, *, at: int, value: bytes, request: Request) -> bool:
    """Whether the Message-Authenticator at this place of a reply is right."""
    if len(value) != _BLOCK:
        return False
    without = packet[:4] + request.authenticator + packet[_HEADER:at] + bytes(_BLOCK) + packet[at + _BLOCK :]
    return hmac.compare_digest(value, _hmac(request.secret, without))


def _attributes(packet: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each attribute's kind, where its value begins, and the value.  Raises ValueError."""
    at = _HEADER
    while at < len(packet):
        length = packet[at + 1] if at + 1 < len(packet) else 0
        if length < 2 or at + length > len(packet):
            raise ValueError("an attribute reaches beyond the packet")
        yield packet[at], at + 2, packet[at + 2 : at + length]
        at += length


def _encoded(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value) + 2]) + value


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, "md5").digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))
