"""Real and fallback servers with their names looked up and their ranges counted out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from lvs_agent.ldirectord.reader.addresses import RealText, Resolver, parse_fallback, parse_real
from lvs_agent.ldirectord.reader.entries import Entry
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.model.ipvs import MAX_WEIGHT, Family, IPAddress, address_and_port

MOST_IN_RANGE = 4_096
MOST_IN_FILE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """One real server as ldirectord sees it.  ``port`` 0: none was written.  ``method``: gate, masq or ipip."""

    line: int
    address: IPAddress
    port: int
    method: str
    weight: int = 1
    request: str | None = None
    receive: str | None = None
    lower: int | None = None
    upper: int | None = None

    @property
    def host(self) -> str:
        """The address as ldirectord stores it, and hands it to commands."""
        return bracketed(self.address)

    def row_port(self, service_port: int, *, marked: bool) -> int:
        """The port of its row in the kernel's table: only masquerading can have one that is not the service's."""
        if marked or (self.method == "masq" and self.port):
            return self.port
        return service_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Reads the servers of one file; ``room`` is how many more it may have."""

    resolver: Resolver
    notes: Notes
    room: list[int]

    def reals(self, entry: Entry, *, family: Family) -> tuple[Real, ...]:
        """The servers of a ``real`` or ``real6``; none after an error."""
        line = entry.line
        written = parse_real(entry.value, line=line, notes=self.notes)
        if written is None:
            return ()
        first = self.resolver.host(written.host, family=family, line=line)
        last = first if written.last is None else self.resolver.host(written.last, family=family, line=line)
        port = 0 if written.port is None else self.resolver.port(written.port, protocol=None, line=line)
        if first is None or last is None or port is None:
            return ()
        fits = self._fits(written, line=line)
        weight = min(written.weight, MAX_WEIGHT)
        return tuple(
            Real(
                line=line,
                address=address,
                port=port,
                method=written.method,
                weight=weight,
                request=written.request,
                receive=written.receive,
                lower=written.lower if fits else None,
                upper=written.upper,
            )
            for address in self._range(first, last, line=line)
        )

    def fallback(self, entry: Entry | None, *, family: Family) -> Real | None:
        """The server of a ``fallback`` or ``fallback6``."""
        written = None if entry is None else parse_fallback(entry.value, line=entry.line, notes=self.notes)
        if entry is None or written is None:
            return None
        address = self.resolver.host(written.host, family=family, line=entry.line)
        port = 0 if written.port is None else self.resolver.port(written.port, protocol=None, line=entry.line)
        if address is None or port is None:
            return None
        return Real(line=entry.line, address=address, port=port, method=written.method)

    def _fits(self, written: RealText, *, line: int) -> bool:
        """Whether the kernel takes the thresholds together, told if not; a weight that it refuses is an error."""
        if written.weight > MAX_WEIGHT:
            self.notes.error(line, f"the weight must be at most {MAX_WEIGHT}; the kernel refuses {written.weight}")
        lower, upper = written.lower or 0, written.upper or 0
        if lower > upper:
            wrong = f"is above u: ({upper})" if upper else "has no u:"
            self.notes.warning(
                line,
                f"the lower threshold l: ({lower}) {wrong} and is left out; with ldirectord the server never serves",
            )
        return lower <= upper

    def _range(self, first: IPAddress, last: IPAddress, *, line: int) -> Iterator[IPAddress]:
        if first.version != last.version or int(last) < int(first):
            self.notes.error(
                line, f"the range from {first} to {last} has no end; write FIRST->LAST with whole addresses"
            )
            return
        count = int(last) - int(first) + 1
        if count > MOST_IN_RANGE:
            text = f"the range from {first} to {last} has {count} servers; more than {MOST_IN_RANGE} are not taken"
            self.notes.error(line, text)
            return
        self.room[0] -= count
        if self.room[0] < 0:
            self.notes.error(line, f"the file has more than {MOST_IN_FILE} real servers")
            return
        if count > 1 and first.version == 6:
            self.notes.warning(line, "a range of IPv6 addresses is taken; ldirectord refuses it")
        family = type(first)
        yield from (family(number) for number in range(int(first), int(last) + 1))


def bracketed(address: IPAddress) -> str:
    """``"192.0.2.1"``, ``"[2001:db8::1]"``."""
    return address_and_port(ip_address(address), 0).rpartition(":")[0]
