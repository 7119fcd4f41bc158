"""How ldirectord.cf writes addresses, ports and servers, and looking their names up."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from lvs_agent.ldirectord.reader.names import Names
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.values import bounded, shown
from lvs_agent.model.ipvs import Family, IPAddress

METHODS = ("gate", "masq", "ipip")

_HOST = r"\[[0-9A-Fa-f:.]*\]|[0-9A-Za-z._+-]+?"
_PORT = r"(?P<colons{n}>::?)(?P<port{n}>[0-9A-Za-z_-]+)"
_ADDRESS = re.compile(rf"(?P<host>{_HOST})(?:{_PORT.format(n='')})?(?![0-9A-Za-z._+\[-])(?P<rest>.*)", re.DOTALL)
_RANGE = re.compile(
    rf"(?P<host>{_HOST})(?:{_PORT.format(n='')})?(?:->(?P<last>{_HOST})(?:{_PORT.format(n='2')})?)?", re.DOTALL
)
_FIRST_WORD = re.compile(r"\w+", re.ASCII)
_QUOTED = re.compile(r'"([^"]*)"')
_WEIGHT = re.compile(r"(?<!\S)([0-9]+)")
_THRESHOLD = re.compile(r"(?<!\S)([lu]):([0-9]+)")
_NUMERIC = re.compile(r"[0-9.]+")
_OTHER_METHODS = {"route": "gate", "dr": "gate", "nat": "masq", "masquerade": "masq", "tun": "ipip", "tunnel": "ipip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualText:
    """``virtual=``: a firewall mark, or a host with a port; None where it was left out."""

    mark: int | None
    host: str
    port: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealText:
    """``real=``: one host, or all from ``host`` to ``last``; texts and thresholds that were left out are None."""

    host: str
    last: str | None
    port: str | None
    method: str
    weight: int
    request: str | None
    receive: str | None
    lower: int | None
    upper: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackText:
    """``fallback=``."""

    host: str
    port: str | None
    method: str


def parse_virtual(value: str, *, line: int, notes: Notes) -> VirtualText | None:
    """The value of ``virtual`` or ``virtual6``; None after an error."""
    if _is_bare_ipv6(value):
        notes.error(line, "an IPv6 address needs brackets; write [ADDRESS]:PORT")
        return None
    found = _ADDRESS.match(value.strip('"'))
    rest = "" if found is None else found["rest"]
    if found is None or (rest and not rest[0].isspace() and found["port"] is None):
        text = (
            f"{shown(value)} is not a virtual service; write ADDRESS:PORT, [IPV6]:PORT or the number of a firewall mark"
        )
        notes.error(line, text)
        return None
    _doubled_colon(found["colons"], line=line, notes=notes)
    if rest.strip():
        notes.warning(line, f"{shown(rest)} after the value is ignored; write # before a comment")
    mark = found["port"] is None and found["host"].isdecimal()
    return VirtualText(mark=bounded(found["host"]) if mark else None, host=found["host"], port=found["port"])


def parse_real(value: str, *, line: int, notes: Notes) -> RealText | None:
    """The value of ``real`` or ``real6``; None after an error."""
    head, rest = _head(value.replace("\u2192", "->"))
    found = _RANGE.fullmatch(head)
    if found is None:
        notes.error(line, f"{shown(head)} is not a real server; write ADDRESS:PORT, then gate, masq or ipip")
        return None
    ports = {found["port"], found["port2"]} - {None}
    if len(ports) > 1:
        notes.error(line, f"the ends of the range {shown(head)} have different ports; write FIRST->LAST:PORT")
        return None
    _doubled_colon(found["colons"] or found["colons2"], line=line, notes=notes)
    if found["last"] and found["port"]:
        notes.warning(line, "the port of a range belongs after its end; ldirectord makes other servers of this")
    method, tail = _method(rest, line=line, notes=notes)
    if method is None:
        return None
    return _with_tail(found, ports.pop() if ports else None, method=method, tail=tail, line=line, notes=notes)


def parse_fallback(value: str, *, line: int, notes: Notes) -> FallbackText | None:
    """The value of ``fallback`` or ``fallback6``; None after an error."""
    words = value.split(None, 2)
    found = _RANGE.fullmatch(words[0].strip('"')) if words else None
    if found is None or found["last"]:
        notes.error(line, "fallback needs an address, like 127.0.0.1:80, and may have gate, masq or ipip after it")
        return None
    _doubled_colon(found["colons"], line=line, notes=notes)
    method = words[1].lower() if len(words) > 1 and words[1].lower() in METHODS else None
    rest = " ".join(words[1 if method is None else 2 :])
    if rest:
        text = f"{shown(rest)} after the fallback server is ignored; write # before a comment"
        notes.warning(line, f"{text}. ldirectord takes it for the forwarding method")
    return FallbackText(host=found["host"], port=found["port"], method=method or "gate")


class Resolver:
    """Looks hosts and ports up for one reading; what cannot be found is an error in its notes."""

    def __init__(self, names: Names, notes: Notes) -> None:
        self._names = names
        self._notes = notes

    def host(self, text: str, *, family: Family, line: int) -> IPAddress | None:
        """The address that ``text`` is or names.  ``family`` counts for names only."""
        try:
            return ip_address(text.strip("[]"))
        except ValueError:
            pass
        if text.startswith("[") or (_NUMERIC.fullmatch(text) and text.count(".") != 3):
            self._notes.error(line, f"{shown(text)} is not an address; write one like 192.0.2.1 or [2001:db8::1]")
            return None
        try:
            address = self._names.host(text, socket.AddressFamily(family))
        except (OSError, LookupError):
            kind = "an address" if _NUMERIC.fullmatch(text) else "a host with an address"
            self._notes.error(line, f"{shown(text)} is not {kind} of IPv{6 if family is Family.INET6 else 4} here")
            return None
        if _NUMERIC.fullmatch(text):
            self._notes.warning(line, f"{text} is read as {address}: numbers that begin with 0 are octal")
        return address

    def port(self, text: str, *, protocol: str | None, line: int) -> int | None:
        """The port that ``text`` is or names."""
        if text.isdecimal() and text.isascii():
            if (number := bounded(text)) <= 65_535:
                return number
            self._notes.error(line, f"the port {text[:10]} is larger than 65535")
            return None
        try:
            return self._names.service(text, protocol)
        except LookupError:
            self._notes.error(line, f"{shown(text)} is not a known service; write the number of its port")
            return None


def _is_bare_ipv6(value: str) -> bool:
    try:
        return ip_address((value.split(None, 1) or [""])[0]).version == 6
    except ValueError:
        return False


def _head(value: str) -> tuple[str, str]:
    """The address of a real server, where blanks may stand around the arrow of a range, and the rest."""
    first, arrow, more = value.partition("->")
    if arrow and len(first.split()) == 1:
        value = f"{first.rstrip()}->{more.lstrip()}"
    head = (value.split(None, 1) or [""])[0]
    return head, value.lstrip()[len(head) :]


def _doubled_colon(colons: str | None, *, line: int, notes: Notes) -> None:
    if colons == "::":
        notes.warning(line, "two colons before the port are read as one; ldirectord makes another address of them")


def _method(rest: str, *, line: int, notes: Notes) -> tuple[str | None, str]:
    found = _FIRST_WORD.search(rest)
    word = "" if found is None else found[0]
    if found is not None and word.lower() in METHODS:
        if word != word.lower():
            notes.warning(line, f"{word} is read as {word.lower()}; ldirectord refuses it")
        return word.lower(), rest[found.end() :]
    meant = _OTHER_METHODS.get(word.lower())
    hint = f"; for {shown(word)} write {meant}" if meant else ""
    notes.error(line, f"the forwarding method is missing after the address: gate, masq or ipip{hint}")
    return None, ""


def _with_tail(
    head: re.Match[str], port: str | None, *, method: str, tail: str, line: int, notes: Notes
) -> RealText | None:
    """The rest of a real server: weight, request and response, thresholds, in whatever order."""
    texts = [text for text in _QUOTED.findall(tail) if not _THRESHOLD.fullmatch(text)]
    bare = _QUOTED.sub(lambda found: f" {found[1]} " if _THRESHOLD.fullmatch(found[1]) else " ", tail)
    limits = {kind: bounded(number) for kind, number in _THRESHOLD.findall(bare)}
    if list(limits) == ["u", "l"]:
        notes.warning(line, "u: counts although it is before l:; ldirectord ignores it there")
    bare = _THRESHOLD.sub(" ", bare)
    weight = _WEIGHT.search(bare)
    rest = (bare if weight is None else bare[: weight.start()] + bare[weight.end() :]).replace(",", " ").strip()
    if rest:
        notes.warning(line, f"{shown(rest)} after the real server is ignored; write # before a comment")
    if len(texts) not in (0, 2):
        notes.error(
            line,
            'a real server must have both a request and a response, or none; write "REQUEST", "RESPONSE"',
        )
        return None
    return RealText(
        host=head["host"],
        last=head["last"],
        port=port,
        method=method,
        weight=1 if weight is None else bounded(weight[1]),
        request=texts[0] if texts else None,
        receive=texts[1] if texts else None,
        lower=limits.get("l"),
        upper=limits.get("u"),
    )
