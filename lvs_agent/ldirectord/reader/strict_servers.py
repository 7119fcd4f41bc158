"""What ldirectord 4.12 makes of hosts, ports, fallback servers and real servers, and which of them it refuses."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from lvs_agent.ldirectord.reader.names import Names
from lvs_agent.ldirectord.reader.strict_values import BLANKS, DIGITS, WORD, size_of
from lvs_agent.model.ipvs import Family, IPAddress

_FORWARDING = frozenset({"gate", "masq", "ipip"})
_HOST = r"(?:[-.0-9A-Za-z]+|\[[0-9:A-f]+\])"
"""A name, an address, or something in brackets (where ldirectord lets more letters pass than hexadecimal has)."""
_PORT = r"[-_0-9A-Za-z]+"
_REAL = re.compile(rf"({_HOST})(?:->({_HOST}))?(?::({_PORT}))?[{BLANKS}]+(.*)")
_WITH_PORT = re.compile(rf"(.*?)(?::({_PORT}))?", re.DOTALL)
_WEIGHT = re.compile(rf"[{BLANKS}][0-9]+")
_REQUEST_AND_RECEIVE = re.compile(rf'[{BLANKS}]"(.*)"[, ][{BLANKS}]*".*"')
_LOWER, _UPPER = re.compile(rf"[{BLANKS}]l:[0-9]+"), re.compile(rf"[{BLANKS}]u:[0-9]+")
_BAD_METHOD = "the forwarding method must be one of gate, masq and ipip"


class Place(NamedTuple):
    """A host as written, and its port as written (None: none was)."""

    host: str
    port: str | None


def host_and_port(text: str) -> Place:
    """``text`` parted at the last colon that has a name or a number behind it to the very end."""
    match = _WITH_PORT.fullmatch(text)
    return Place(match[1], match[2]) if match else Place(text, None)


def host(text: str, *, family: Family, names: Names) -> IPAddress | None:
    """The address that ldirectord takes ``text`` for, or None where there is none.

    What is in brackets counts; no text at all is the loopback address.
    """
    opened, closed = text.find("["), text.rfind("]")
    name = text[opened + 1 : closed] if 0 <= opened < closed else text
    if not name:
        return IPv4Address("127.0.0.1") if family is Family.INET else IPv6Address("::1")
    try:
        return names.host(name, socket.AddressFamily(family))
    except (OSError, LookupError, ValueError):
        return None


def port(text: str, *, protocol: str | None, names: Names) -> str | None:
    """The number of the port ``text``, with the zeros that were written; None where there is no such port."""
    if DIGITS.fullmatch(text):
        return text if size_of(text) < 65_536 else None
    if protocol == "fwm":
        return None
    try:
        return str(names.service(text, protocol))
    except (OSError, LookupError, ValueError):
        return None


# --- fallback servers and real servers ----------------------------------------------------------------------------


def fallback(value: str) -> Place | str:
    """The fallback server in ``value``, or what is wrong with it.

    The last two words are the server and its forwarding method; one word alone is the server.
    """
    words = re.split(rf"[{BLANKS}]+", value.strip(BLANKS))[-2:]
    if len(words) == 2 and words[1] not in {*_FORWARDING, "0"}:
        return f"{_BAD_METHOD}; write one of them behind the fallback server, and nothing else"
    return host_and_port(words[0])


def unresolved_fallback(place: Place, *, family: Family, protocol: str, names: Names) -> str | None:
    """What is wrong with the host or the port of a fallback server."""
    if host(place.host, family=family, names=names) is None:
        return f"the fallback server {place.host} has no {_family_name(family)} address; write the address itself"
    if place.port in {None, "", "0"}:
        return None
    if port(place.port or "", protocol=protocol, names=names) is None:
        return f"there is no port {place.port} for {protocol}; write its number"
    return None


def real(value: str, *, family: Family, names: Names) -> str | None:
    """What is wrong with the value of ``real`` or ``real6``."""
    match = _REAL.search(value)
    if match is None:
        return "must be an address, its port and a forwarding method with blanks between; write them"
    first, last, port_text, rest = match.groups()
    addresses = [host(text, family=family, names=names) for text in (first, last) if text is not None]
    if None in addresses:
        return f"{last if addresses[0] else first} has no {_family_name(family)} address; write the address itself"
    if port_text is not None and port(port_text, protocol=None, names=names) is None:
        return f"there is no port {port_text}; write its number"
    if last is None:
        return _settings(rest)
    if family is Family.INET6:
        return "ranges are for IPv4 only; write one line for each address"
    return _range(*(int(address) for address in addresses if address is not None), rest=rest)


def _range(first: int, last: int, *, rest: str) -> str | None:
    """What is behind counts only where the numbers sort as texts too: else ldirectord finds nobody in the range."""
    if first > last:
        return "the range ends before it begins; exchange its ends"
    return _settings(rest) if str(first) <= str(last) else None


def _settings(text: str) -> str | None:
    """What is wrong behind the address: method, weight, request and response, thresholds, in this order.

    Behind a request that begins with a slash ldirectord forgets whatever comes.
    """
    method = WORD.search(text)
    if method is None or method[0] not in _FORWARDING:
        return f"{_BAD_METHOD}; write one of them behind the address"
    rest = text[method.end() :]
    for part in (_WEIGHT, _REQUEST_AND_RECEIVE, _LOWER, _UPPER):
        if found := part.search(rest):
            if part is _REQUEST_AND_RECEIVE and found[1].startswith("/"):
                return None
            rest = rest[found.end() :]
    return f"what is {rest.strip(BLANKS)!r}? delete it" if rest.strip(BLANKS) else None


def _family_name(family: Family) -> str:
    return "IPv4" if family is Family.INET else "IPv6"
