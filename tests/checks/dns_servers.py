"""A name server's answers, whole or spoilt."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.checks.servers import Handler

RECORDS = {
    ("www.example.com.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("www.example.com.", "AAAA"): ["2001:db8::1"],
    ("example.com.", "NS"): ["ns1.example.com."],
    ("example.com.", "SOA"): ["ns1.example.com. root.example.com. 7 1 1 1 1"],
    ("example.com.", "MX"): ["10 mail.example.com."],
    ("example.com.", "TXT"): ['"v=spf1 " "-all"'],
    ("alias.example.com.", "CNAME"): ["www.example.com."],
    ("_sip._udp.example.com.", "SRV"): ["0 5 5060 sip.example.com."],
    ("1.2.0.192.in-addr.arpa.", "PTR"): ["www.example.com."],
    ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "PTR"): ["six.example.com."],
}


def reply(query: bytes, *, rcode: str = "NOERROR", truncated: bool = False, alias: str = "") -> bytes:
    """The answer to ``query``: from ``RECORDS``, where there is one; with ``alias``, that the name stands for this."""
    asked = dns.message.from_wire(query)
    answer = dns.message.make_response(asked)
    name, kind = asked.question[0].name, asked.question[0].rdtype
    answer.set_rcode(dns.rcode.from_text(rcode))
    if alias:
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", alias))
    known = RECORDS.get((alias or name.to_text(), kind.name), [])
    if known and not truncated and rcode == "NOERROR":
        answer.answer.append(dns.rrset.from_text(alias or name.to_text(), 60, "IN", kind, *known))
    if truncated:
        answer.flags |= dns.flags.TC
    return answer.to_wire()


def of_another_id(query: bytes) -> bytes:
    """What somebody would send who has to guess the id."""
    right = reply(query)
    return bytes([right[0] ^ 1]) + right[1:]


def of_another_question(query: bytes) -> bytes:
    """The right id, and another name."""
    return reply(query.replace(b"\x03www", b"\x03wwx"))


def over_tcp(answer: bytes | None = None, *, pause_s: float = 0.0) -> Handler:
    """A handler that answers one query, with ``answer`` or rightly; in two pieces with ``pause_s`` between them."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        message = reply(query) if answer is None else answer
        framed = len(message).to_bytes(2) + message
        writer.write(framed[:7])
        await writer.drain()
        await asyncio.sleep(pause_s)
        writer.write(framed[7:])
        await writer.drain()

    return handle
