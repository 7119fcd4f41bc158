"""What procfs shows of IPVS: the outline of the table, its totals, version, table size and sysctls.

Values are found by their names and headings, not by column or line number, because kernels differ: 7.2 has the
counters of connections in other places than 4.18, and the layout is not stable.  Functions that take text are pure.

The files belong to the network namespace of the calling thread.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from lvs_agent.errors import IpvsError, ModuleMissing, Unavailable, ipvs_error
from lvs_agent.model.ipvs import DestinationKey, ForwardingMethod, Protocol
from lvs_agent.model.outline import Outline, OutlineDestination, OutlineKey, OutlineService
from lvs_agent.model.statistics import Counters

SYSCTLS = (
    "backup_only",
    "cache_bypass",
    "conn_reuse_mode",
    "conntrack",
    "drop_entry",
    "drop_packet",
    "expire_nodest_conn",
    "expire_quiescent_template",
    "ignore_tunneled",
    "nat_icmp_send",
    "pmtu_disc",
    "run_estimation",
    "schedule_icmp",
    "secure_tcp",
    "sloppy_sctp",
    "sloppy_tcp",
    "snat_reroute",
    "sync_persist_mode",
)
"""Settings below net.ipv4.vs that affect the forwarding or the counting of packets."""

MODULE_REMEDY = "this kernel has no IPVS loaded; load it: modprobe ip_vs"

_CLOCK_MONOTONIC_COARSE = 6
_FORWARDING = {
    "Masq": ForwardingMethod.MASQUERADE,
    "Local": ForwardingMethod.LOCAL,
    "Tunnel": ForwardingMethod.TUNNEL,
    "Route": ForwardingMethod.DIRECT,
}
_FWMARK = "FWM"
_SERVICES = frozenset({_FWMARK, *(protocol.name for protocol in Protocol)})
_HEADER = re.compile(r"IP Virtual Server version (\d{1,9}\.\d{1,9}\.\d{1,9})(?:[^\n]*size=(\d{1,18}))?", re.ASCII)
_HEXADECIMAL = re.compile("[0-9A-Fa-f]{1,32}")
_TOTALS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Procfs:
    """A mounted procfs at ``root``.  ``ticks``: time units of /proc/net/ip_vs per second."""

    root: Path = Path("/proc")
    ticks: int

    def read_outline(self) -> Outline:
        """The outline in /proc/net/ip_vs.  Raises ModuleMissing, Unavailable."""
        return parse_outline(self._read_net("ip_vs"), ticks=self.ticks)

    def read_totals(self) -> Counters:
        """Counters of the whole host.  Raises ModuleMissing, Unavailable."""
        return parse_totals(self._read_net("ip_vs_stats"))

    def read_sysctls(self) -> dict[str, int]:
        """The values of those SYSCTLS that this kernel has."""
        found = {name: _read_number(self.root / "sys/net/ipv4/vs" / name) for name in SYSCTLS}
        return {name: value for name, value in found.items() if value is not None}

    def _read_net(self, name: str) -> str:
        own = self.root / "thread-self"
        path = (own if own.exists() else self.root) / "net" / name
        try:
            return path.read_bytes().decode("ascii", errors="replace")
        except FileNotFoundError as error:
            raise ModuleMissing(f"no {path}: {MODULE_REMEDY}", errno_name="ENOENT") from error
        except OSError as error:
            raise _unreadable(path, error) from error


def kernel_ticks() -> int:
    """Timer interrupts per second (CONFIG_HZ) of the running kernel: its coarse clocks advance once in each."""
    return max(1, round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE)))


def parse_header(text: str) -> tuple[str | None, int | None]:
    """Version and size of the connection table out of /proc/net/ip_vs, None if they are not shown."""
    found = _HEADER.match(text)
    if found is None:
        raise Unavailable("/proc/net/ip_vs has an unknown header", errno_name="EBADMSG")
    return found[1], None if found[2] is None else int(found[2])


def parse_outline(text: str, *, ticks: int) -> Outline:
    """The outline that /proc/net/ip_vs's ``text`` shows.  Services of unknown protocols are left out.

    Raises Unavailable for text that cannot be parsed.
    """
    parse_header(text)
    services: dict[OutlineKey, tuple[OutlineService, ...]] = {}
    for heading, lines in _blocks(text):
        try:
            key, service = _key(heading), _service(heading, lines, ticks=ticks)
        except (ValueError, KeyError, IndexError) as error:
            raise Unavailable(f"unreadable service in /proc/net/ip_vs: {heading[:4]}", errno_name="EBADMSG") from error
        services[key] = (*services.get(key, ()), service)
    return services


def parse_totals(text: str) -> Counters:
    """The totals out of /proc/net/ip_vs_stats: its first line of five hexadecimal numbers.

    Raises Unavailable if there is no such line.
    """
    for line in text.splitlines():
        words = line.split()
        if len(words) == _TOTALS and all(map(_HEXADECIMAL.fullmatch, words)):
            connections, packets_in, packets_out, bytes_in, bytes_out = (int(word, 16) for word in words)
            return Counters(
                connections=connections,
                incoming_packets=packets_in,
                outgoing_packets=packets_out,
                incoming_bytes=bytes_in,
                outgoing_bytes=bytes_out,
            )
    raise Unavailable("no totals in /proc/net/ip_vs_stats", errno_name="EBADMSG")


_Block = tuple[list[str], list[list[str]]]


def _blocks(text: str) -> Iterator[_Block]:
    """The words of each service line with the words of its destination lines."""
    block: _Block | None = None
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["->"]:
            if block is not None:
                block[1].append(words)
            continue
        if block is not None:
            yield block
        block = (words, []) if words and words[0] in _SERVICES else None
    if block is not None:
        yield block


def _key(words: list[str]) -> OutlineKey:
    return int(words[1], 16) if words[0] == _FWMARK else (Protocol(words[0].lower()), _endpoint(words[1]))


def _service(words: list[str], lines: list[list[str]], *, ticks: int) -> OutlineService:
    return OutlineService(
        scheduler=words[2],
        one_packet="ops" in words[3:],
        persistence=_persistence(words, ticks=ticks) if "persistent" in words[3:] else None,
        destinations=frozenset(_destination(line[1], line[2], line[3]) for line in lines),
    )


def _persistence(words: list[str], *, ticks: int) -> tuple[int, int | IPv4Address]:
    """The kernel prints its timeout in ticks, and both masks and prefix lengths as if they were masks."""
    place = words.index("persistent", 3)
    timeout_s = int(words[place + 1]) % 2**32 // ticks
    mask = int(words[place + 2], 16)
    prefix, rest = divmod(mask, 2**24)
    six = "[" in words[1] or (words[0] == _FWMARK and not rest and 1 <= prefix <= 128)
    return timeout_s, prefix if six else IPv4Address(mask)


@lru_cache(maxsize=65_536)
def _destination(endpoint: str, forwarding: str, weight: str) -> OutlineDestination:
    return OutlineDestination(key=_endpoint(endpoint), forwarding=_FORWARDING[forwarding], weight=int(weight))


@lru_cache(maxsize=65_536)
def _endpoint(text: str) -> DestinationKey:
    """``0A000001:0050`` or ``[2001:0db8:...]:0050``."""
    address, port = text.rsplit(":", 1)
    parsed = IPv6Address(address[1:-1]) if address.startswith("[") else IPv4Address(int(address, 16))
    return DestinationKey(parsed, int(port, 16))


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> IpvsError:
    if isinstance(error, OSError) and error.errno is not None:
        return ipvs_error(error.errno, f"read {path}")
    return Unavailable(f"read {path}: {error}", errno_name="EBADMSG")
