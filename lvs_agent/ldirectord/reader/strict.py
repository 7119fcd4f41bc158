"""Strict reading: exactly what ldirectord 4.12 refuses when it is started with a file.

Rules of ldirectord, which this file follows line by line:

1. A line that begins with ``virtual=`` or ``virtual6=`` begins a block.  The lines of the block have four blanks or
   more in front (a tab counts for four) and something behind them.  The first other line that is no comment ends it.
2. In a block everything from ``#`` on is a comment, even in quotes; outside it only a line that begins with ``#`` is.
3. Names are looked up when the block has ended, since they depend on its protocol: the fallback server's, the virtual
   service's, then the real servers' in their order.
4. The first error is the last that is told.

What depends on files (whether a log or monitor file can be opened) is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from lvs_agent.errors import Problem
from lvs_agent.ldirectord.reader.names import Names, SystemNames
from lvs_agent.ldirectord.reader.strict_servers import Place, fallback, host, port, real, unresolved_fallback
from lvs_agent.ldirectord.reader.strict_values import BLANKS, GLOBAL, VIRTUAL, netmask, protocol_of
from lvs_agent.model.ipvs import Family, IPAddress

_INDENT = " " * 4
_NAME = r"(?:[0-9A-Za-z._+-]+|\[[0-9A-Fa-f:]+\])"
_HOST_AND_PORT = re.compile(rf"({_NAME}):([0-9A-Za-z_-]+)")
_MARK = re.compile("[0-9]+")
_BIG_ENOUGH_FOR_DOTS = 0x1_0000

Identity = tuple[str, str, str]
"""By what ldirectord knows a virtual service again: the texts as written, so that ports 80 and 080 are two."""


@dataclass(slots=True, kw_only=True)
class _Block:
    """A virtual service while its lines are read.  ``mark`` is set where ``place`` is not."""

    line: int
    family: Family
    place: Place | None
    mark: str
    protocol: str
    fallback: tuple[int, Place] | None = None
    reals: list[tuple[int, str]] = field(default_factory=list)


def refusal(text: bytes, *, names: Names) -> Problem | None:
    """The first thing in ``text`` that ldirectord refuses, at the line that it reports; None where it takes the file.

    ``names`` looks up hosts and services as the system does that ldirectord would run on; of the system's own, only
    what ldirectord would find too counts.
    """
    names = names.exactly() if isinstance(names, SystemNames) else names
    lines = text.decode("latin-1").split("\n")
    if not lines[-1]:
        lines.pop()
    return next(_problems(lines, names), None)


def _problems(lines: Sequence[str], names: Names) -> Iterator[Problem]:
    """Problems in ldirectord's order.  Only the first one means anything: behind it nothing is kept up."""
    known: set[Identity] = set()
    at = 0
    while at < len(lines):
        name, value = _directive(lines[at])
        if name in {"virtual", "virtual6"} and value is not None:
            end = _block_end(lines, at + 1)
            block = _opened(value, Family.INET6 if name == "virtual6" else Family.INET, at + 1)
            yield from _service_problems(block, lines, at=at, end=end, known=known, names=names)
            at = end
        else:
            if wrong := _global_problem(lines[at], name, value, names):
                yield _problem(at + 1, wrong)
            at += 1


def _service_problems(
    block: _Block | str, lines: Sequence[str], *, at: int, end: int, known: set[Identity], names: Names
) -> Iterator[Problem]:
    """Problems of the lines from index ``at`` to before ``end``.  ``known``: the services so far; gets this one."""
    if isinstance(block, str):
        yield _problem(at + 1, block)
        return
    yield from _line_problems(block, lines[at + 1 : end])
    yield from _lookup_problems(block, names)
    identity = _identity(block, names)
    # A block of one line at the very end is read twice.
    if identity in known or at + 1 == len(lines):
        # The line that ended the block has been read by now.
        yield _problem(min(end + 1, len(lines)), _twice(block))
    known.add(identity)


def _problem(line: int, text: str) -> Problem:
    return Problem(f"line {line}", text)


def _directive(line: str) -> tuple[str, str | None]:
    """Name and value; no value where there is no ``=``."""
    name, equals, value = line.partition("=")
    return name.rstrip(BLANKS), value.lstrip(BLANKS) if equals else None


def _is_comment(line: str) -> bool:
    return line.lstrip(BLANKS).startswith("#")


# --- before the virtual services ----------------------------------------------------------------------------------


def _global_problem(line: str, name: str, value: str | None, names: Names) -> str | None:
    if not line.strip(BLANKS) or _is_comment(line) or line.rstrip(BLANKS) == "supervised":
        return None
    if value is None:
        return f"{line.strip(BLANKS)!r} is no directive; write name=value, with # in front of a comment"
    if name in {"fallback", "fallback6"}:
        return _global_fallback_problem(value, Family.INET6 if name == "fallback6" else Family.INET, names)
    if rule := GLOBAL.get(name):
        wrong = rule(value)
        return f"{name}: {wrong}" if wrong else None
    if name.strip(BLANKS) in {*VIRTUAL, "real", "real6", "netmask", "protocol"}:
        return (
            f"{name.strip(BLANKS)} stands outside a virtual service; indent it by four blanks, with no empty line above"
        )
    return f"there is no directive {name!r}; correct it or delete the line"


def _global_fallback_problem(value: str, family: Family, names: Names) -> str | None:
    place = fallback(value)
    if isinstance(place, str):
        return place
    for protocol in ("tcp", "udp"):
        if wrong := unresolved_fallback(place, family=family, protocol=protocol, names=names):
            return wrong
    return None


# --- virtual services ---------------------------------------------------------------------------------------------


def _block_end(lines: Sequence[str], start: int) -> int:
    """The index of the first line from ``start`` on that belongs to the block no more."""
    return next((at for at in range(start, len(lines)) if _in_block(lines[at]) is None), len(lines))


def _in_block(line: str) -> str | None:
    """What ldirectord sees of a line of a block (nothing of a comment), or None where the line ends the block."""
    if _is_comment(line):
        return ""
    seen = line.partition("#")[0].replace("\t", _INDENT)
    if not seen.startswith(_INDENT) or seen == _INDENT:
        return None
    return seen.lstrip(" ") or " "


def _line_problems(block: _Block, lines: Sequence[str]) -> Iterator[Problem]:
    for number, line in enumerate(lines, start=block.line + 1):
        if (seen := _in_block(line)) and (wrong := _line_problem(block, number, seen)):
            yield _problem(number, wrong)


def _opened(value: str, family: Family, line: int) -> _Block | str:
    """The block that ``virtual=value`` begins, or what is wrong with it."""
    if found := _HOST_AND_PORT.match(value):
        place = Place(found[1], found[2])
        if place.host.startswith("["):
            if family is Family.INET:
                return "an IPv6 address needs virtual6; write virtual6=, with real6= and fallback6= in the block"
            if not _is_ipv6(place.host[1:-1]):
                return f"{place.host} is no IPv6 address; correct it"
        protocol = "udp" if place.port in {"53", "domain"} else "tcp"
        return _Block(line=line, family=family, place=place, mark="", protocol=protocol)
    if mark := _MARK.match(value):
        return _Block(line=line, family=family, place=None, mark=mark[0], protocol="fwm")
    return "must be address:port or a firewall mark, with an IPv6 address in brackets; write one of them"


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _line_problem(block: _Block, number: int, line: str) -> str | None:
    name, value = _directive(line)
    if value is None:
        return f"{line.strip(BLANKS)!r} is no directive; write name=value, with # in front of a comment"
    if rule := VIRTUAL.get(name):
        wrong = rule(value)
    elif name in {"real", "real6", "fallback", "fallback6"}:
        wrong = _server_problem(block, number, name, value)
    elif name == "netmask":
        wrong = netmask(value, block.family)
    elif name == "protocol":
        wrong = _protocol_problem(block, value)
    else:
        wrong = "is no directive of a virtual service; correct it, move it before the first one, or delete it"
    return f"{name}: {wrong}" if wrong else None


def _server_problem(block: _Block, number: int, name: str, value: str) -> str | None:
    if name.endswith("6") is not (block.family is Family.INET6):
        right = name.rstrip("6") + "6" * (block.family is Family.INET6)
        return f"the virtual service is of the other address family; write {right}= instead"
    if name.startswith("real"):
        block.reals.append((number, value))
        return None
    place = fallback(value)
    if isinstance(place, str):
        return place
    own_port = place.port if place.port is not None else block.place.port if block.place else "0"
    block.fallback = number, Place(place.host, own_port)
    return None


def _protocol_problem(block: _Block, value: str) -> str | None:
    protocol = protocol_of(value)
    if block.protocol == "fwm":
        return None if protocol == "fwm" else "a firewall mark has the protocol fwm; delete the line"
    if protocol not in {"tcp", "udp"}:
        return "must be tcp or udp; write one of them"
    block.protocol = protocol
    return None


def _lookup_problems(block: _Block, names: Names) -> Iterator[Problem]:
    if block.fallback is not None:
        line, place = block.fallback
        if wrong := unresolved_fallback(place, family=block.family, protocol=block.protocol, names=names):
            yield _problem(line, wrong)
    if block.place is not None:
        if host(block.place.host, family=block.family, names=names) is None:
            yield _problem(block.line, f"{block.place.host} has no such address; write the address itself")
        elif port(block.place.port or "", protocol=block.protocol, names=names) is None:
            yield _problem(block.line, f"there is no port {block.place.port} for {block.protocol}; write its number")
    for line, value in block.reals:
        if wrong := real(value, family=block.family, names=names):
            yield _problem(line, wrong)


def _identity(block: _Block, names: Names) -> Identity:
    if block.place is None:
        return block.protocol, block.family.word, block.mark
    address = host(block.place.host, family=block.family, names=names)
    number = port(block.place.port or "", protocol=block.protocol, names=names)
    if address is None or number is None or _is_written_with_dots(address):
        return block.protocol, "[", ""
    return block.protocol, str(address), number


def _is_written_with_dots(address: IPAddress) -> bool:
    """Whether an IPv6 address has an IPv4 address in its text; ldirectord takes all of these for one and the same."""
    if address.version == 4:
        return False
    return address.ipv4_mapped is not None or _BIG_ENOUGH_FOR_DOTS <= int(address) < 1 << 32


def _twice(block: _Block) -> str:
    return (
        f"the virtual service of line {block.line} counts twice, because there is another of its address and port,"
        " or because the file ends with it; delete one of them, or write its real servers below it"
    )
