"""DNS messages of the dns check: the query, which datagrams answer it, and what an answer says.

The only module that imports dnspython.  It is imported late, because only agents with DNS checks need it.
"""

from __future__ import annotations

import re
import struct
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.txtbase
import dns.reversename

from lvs_agent.checks.net.dialogue import printable
from lvs_agent.model.check import Failed, FailureReason, Passed

LONGEST = 16_384
"""Bytes of the longest message that is read; the answer to one question has some hundred."""
_ANSWERS_SHOWN = 3
_COUNTS = struct.Struct("!4x4H")
"""The header: how many questions, answers, authorities and additional records there are (RFC 1035, 4.1.1)."""
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HH4xH")
"""Type, class and length of a record, behind its name."""

Message = dns.message.Message


def know_every_type() -> None:
    """Import the modules of all types of records at once.

    Otherwise dnspython looks for a module whenever it meets a type for the first time: an answer with a thousand
    unknown types would block the loop for tenths of a second.
    """
    dns.rdata.load_all_types()  # type: ignore[no-untyped-call]


def name_of(text: str, *, record_type: str) -> dns.name.Name:
    """The name to ask for; an address stands for its name below in-addr.arpa or ip6.arpa.  Raises ValueError."""
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if address is not None and record_type != "PTR":
        raise ValueError(f"an address has no {record_type} record, only PTR")
    try:
        return dns.name.from_text(text) if address is None else dns.reversename.from_address(text)
    except (dns.exception.DNSException, UnicodeError):
        raise ValueError("must be a domain name, like www.example.com") from None


def query(name: str, *, record_type: str, recursion_desired: bool) -> dns.message.QueryMessage:
    """A query with an id of its own, without EDNS: every server understands it."""
    flags = dns.flags.RD if recursion_desired else 0
    return dns.message.make_query(name_of(name, record_type=record_type), record_type, flags=flags)


def reply_to(asked: Message, wire: bytes) -> Message | str:
    """The message in ``wire``, or why it does not answer ``asked`` (RFC 5452, 9.1)."""
    if len(wire) > LONGEST:
        return f"longer than {LONGEST} bytes"
    try:
        if not _is_of_the_internet(wire):
            return "with records of another class than IN"
        reply = dns.message.from_wire(wire, ignore_trailing=True)
        return reply if asked.is_response(reply) else "to another question"
    except (dns.exception.DNSException, struct.error, ValueError):
        return "that is not a DNS message"


def _is_of_the_internet(wire: bytes) -> bool:
    """Whether every record has the class IN, or is an OPT, whose class is a size (RFC 6891, 6.1.2).

    dnspython keeps each pair of a class and a type that it meets, so a server that makes them up could fill the memory.
    Raises DNSException, struct.error.
    """
    questions, *records = _COUNTS.unpack_from(wire)
    at = _COUNTS.size
    for _ in range(questions):
        at += dns.name.from_wire(wire, at)[1] + _QUESTION.size
    for _ in range(sum(records)):
        at += dns.name.from_wire(wire, at)[1]
        of_type, of_class, length = _RECORD.unpack_from(wire, at)
        if of_class != dns.rdataclass.IN and of_type != dns.rdatatype.OPT:
            return False
        at += _RECORD.size + length
    return True


def is_truncated(reply: Message) -> bool:
    """Whether there is more, over TCP."""
    return bool(reply.flags & dns.flags.TC)


def judge(reply: Message, *, rcode: str, record_type: str, pattern: re.Pattern[str] | None) -> Passed | Failed:
    """Whether ``reply`` is a healthy server's."""
    code = dns.rcode.to_text(reply.rcode())
    if code != rcode:
        return Failed(FailureReason.STATUS, f"{code}, not {rcode}")
    if rcode != "NOERROR":
        return Passed(code)
    try:
        texts = _answers(reply)
    except dns.exception.DNSException:
        return Failed(FailureReason.PROTOCOL, "aliases that lead to no record")
    if not texts:
        return Failed(FailureReason.CONTENT, f"no {record_type} record")
    found = next((text for text in texts if pattern is None or pattern.search(text)), None)
    if found is None:
        shown = printable(", ".join(texts[:_ANSWERS_SHOWN]))
        return Failed(FailureReason.CONTENT, f"answer_regex does not match: {shown}")
    return Passed(printable(found))


def _answers(reply: Message) -> list[str]:
    """The records that were asked for, behind all aliases, as text; sorted, because servers let them rotate."""
    if not isinstance(reply, dns.message.QueryMessage):
        return []
    answer = reply.resolve_chaining().answer
    return [] if answer is None else sorted(map(_text, answer))


def _text(record: dns.rdata.Rdata) -> str:
    """As in a zone file, but names without the dot at their end, and a TXT record without quotes."""
    if isinstance(record, dns.rdtypes.txtbase.TXTBase):
        return b"".join(record.strings).decode("utf-8", "replace")
    return " ".join(word.removesuffix(".") or word for word in record.to_text().split(" "))
