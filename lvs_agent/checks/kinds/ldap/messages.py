"""The messages of LDAP (RFC 4511) that a check sends and reads.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from lvs_agent.checks.kinds.ldap import ber
from lvs_agent.checks.kinds.ldap.ber import Element

BIND_RESPONSE, SEARCH_ENTRY, SEARCH_DONE, SEARCH_REFERENCE, EXTENDED_RESPONSE = 0x61, 0x64, 0x65, 0x73, 0x78
UNSOLICITED = 0
"""The message id of what a server says unasked (RFC 4511, 4.4)."""

_BIND_REQUEST, _UNBIND_REQUEST, _SEARCH_REQUEST, _EXTENDED_REQUEST = 0x60, 0x42, 0x63, 0x77
_VERSION = 3
_SIMPLE = 0x80
_REQUEST_NAME = 0x80
_PRESENT = 0x87
_STARTTLS = "1.3.6.1.4.1.1466.20037"
_BASE_OBJECT, _NEVER_DEREFERENCE, _NO_ATTRIBUTES = 0, 0, "1.1"

_WORDS: Mapping[int, str] = MappingProxyType(
    {
        0: "success", 1: "operations error", 2: "protocol error", 3: "time limit exceeded", 4: "size limit exceeded",
        7: "authentication method not supported", 8: "stronger authentication required", 10: "referral",
        11: "administrative limit exceeded", 12: "unavailable critical extension", 13: "confidentiality required",
        14: "SASL bind in progress", 16: "no such attribute", 18: "inappropriate matching", 32: "no such object",
        33: "alias problem", 34: "invalid DN syntax", 36: "alias dereferencing problem",
        48: "inappropriate authentication", 49: "invalid credentials", 50: "insufficient access rights", 51: "busy",
        52: "unavailable", 53: "unwilling to perform", 54: "loop detected", 80: "other error",
    }
)  # fmt: skip


class Outcome(NamedTuple):
    """How an operation ended: the result code (0: success), and the server's message for a person."""

    code: int
    diagnostic: str

    def __str__(self) -> str:
        words = f"{_WORDS.get(self.code, 'result')} ({self.code})"
        return f"{words}: {self.diagnostic}" if self.diagnostic else words


class Message(NamedTuple):
    """A message of the server: which request it answers, and the operation."""

    number: int
    operation: Element


def bind_request(number: int, *, name: str, password: str) -> bytes:
    """A simple bind; anonymous with both texts empty."""
    contents = ber.integer(_VERSION), ber.text(name), ber.text(password, tag=_SIMPLE)
    return _message(number, ber.encoded(_BIND_REQUEST, *contents))


def unbind_request(number: int) -> bytes:
    """The end of the session; it has no answer."""
    return _message(number, ber.encoded(_UNBIND_REQUEST))


def starttls_request(number: int) -> bytes:
    """The request to start TLS (RFC 4511, 4.14)."""
    return _message(number, ber.encoded(_EXTENDED_REQUEST, ber.text(_STARTTLS, tag=_REQUEST_NAME)))


def search_request(number: int, *, base: str) -> bytes:
    """The entry ``base`` itself, without its attributes, whatever its class."""
    contents = (
        ber.text(base),
        ber.integer(_BASE_OBJECT, tag=ber.ENUMERATED),
        ber.integer(_NEVER_DEREFERENCE, tag=ber.ENUMERATED),
        ber.integer(0),  # no limits but the server's
        ber.integer(0),
        ber.boolean(value=True),
        ber.text("objectClass", tag=_PRESENT),
        ber.encoded(ber.SEQUENCE, ber.text(_NO_ATTRIBUTES)),
    )
    return _message(number, ber.encoded(_SEARCH_REQUEST, *contents))


def message_of(element: Element) -> Message:
    """The message in an element.  Raises Malformed."""
    number, operation, *_ = ber.members(element, tag=ber.SEQUENCE, least=2)
    return Message(ber.number(number), operation)


def outcome_in(operation: Element, *, tag: int) -> Outcome:
    """The LDAPResult in an operation with ``tag``.  Raises Malformed."""
    code, _, diagnostic, *_ = ber.members(operation, tag=tag, least=3)
    return Outcome(ber.number(code, tag=ber.ENUMERATED), ber.string(diagnostic))


def name_in(entry: Element) -> str:
    """The DN of a SearchResultEntry.  Raises Malformed."""
    return ber.string(ber.members(entry, tag=SEARCH_ENTRY, least=2)[0])


def _message(number: int, operation: bytes) -> bytes:
    return ber.encoded(ber.SEQUENCE, ber.integer(number), operation)
