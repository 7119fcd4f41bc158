"""Types of single values in the configuration: addresses, ports, names, words.

Each parser takes a value of TOML and returns the program's own type, or raises ValueError with the message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from lvs_agent.config.suggest import must_be_one_of
from lvs_agent.model.ipvs import MAX_WEIGHT, SCHEDULER_FLAG_NAMES, SCHEDULERS, IPAddress, address_and_port
from lvs_agent.settings.scalars import Duration

MAX_THRESHOLD = 2**31 - 1
"""Largest connection threshold that ipvsadm takes."""

MAX_FWMARK = 2**32 - 1
"""A firewall mark is an unsigned 32-bit number, and 0 means "not marked"."""

MAX_PERSISTENCE_S = 31 * 86_400
"""Longest persistence in seconds that ipvsadm takes; the kernel multiplies it by its clock rate in 32 bits."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where the web server listens.  Port 0 lets the system choose."""

    address: IPAddress
    port: int

    def __str__(self) -> str:
        return address_and_port(self.address, self.port)


def parse_address(value: object) -> IPAddress:
    """The address of one host.  Raises ValueError for what a packet cannot be sent to, or IPVS cannot hold."""
    address = _any_address(value)
    if address.is_unspecified:
        raise ValueError("must be the address of one host; this is the unspecified address")
    if address.is_multicast:
        raise ValueError("must be the address of one host; this is a multicast address")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError(f"is an IPv4-mapped IPv6 address; write {address.ipv4_mapped}")
    return address


def parse_netmask(value: object) -> IPv4Address:
    """An IPv4 netmask whose ones all come first, at least one of them.  Raises ValueError for everything else."""
    try:
        mask = IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError('must be an IPv4 netmask, like "255.255.255.0"') from None
    zeros = int(mask) ^ 0xFFFFFFFF
    if not int(mask) or zeros & (zeros + 1):
        raise ValueError("is not a netmask: all one bits must come first, and at least one is required")
    return mask


def parse_listen(value: object) -> ListenAddress:
    """``"127.0.0.1:9659"``, ``"[::1]:9659"``, or ``":9659"`` for every IPv4 address.  Raises ValueError otherwise."""
    text = value if isinstance(value, str) else ""
    host, colon, port = text.rpartition(":")
    bracketed = (":" in host, host.startswith("["), host.endswith("]"))
    if not colon or not _is_port(port) or bracketed not in {(True, True, True), (False, False, False)}:
        raise ValueError('must be an address and a port, like "127.0.0.1:9659" or "[::1]:9659"')
    return ListenAddress(_any_address(host.strip("[]") or "0.0.0.0"), int(port))  # noqa: S104 -- asked for by the user


def parse_name(value: str) -> str:
    """A name for logs and metrics.  Raises ValueError where it could not be read there."""
    if not value.isprintable() or value != value.strip():
        raise ValueError("must be printable text on one line, without spaces around it")
    return value


def parse_label(value: str) -> str:
    """A label for the lines of a file; blanks around it are a part of it.  Raises ValueError."""
    if not value.isprintable():
        raise ValueError("must be printable text on one line")
    return value


def parse_command(value: object) -> tuple[str, ...]:
    """The full path of a program, and its arguments.  Raises ValueError for everything else."""
    words = value if isinstance(value, list | tuple) else ()
    if not words or not all(isinstance(word, str) for word in words) or not words[0].startswith("/"):
        raise ValueError('must be an array that starts with the full path of a program, like ["/usr/lib/sorry", "-v"]')
    if any("\0" in word for word in words):
        raise ValueError("must not contain a NUL character")
    return tuple(words)


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """A validator that takes these words and no other."""

    def check(word: str) -> str:
        if word not in words:
            raise ValueError(must_be_one_of(words, given=word))
        return word

    return check


def _any_address(value: object) -> IPAddress:
    try:
        address = ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError('must be an IP address, like "192.0.2.1" or "2001:db8::1"; names are not looked up') from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError("must not have a zone (the part from '%' on): IPVS cannot store it")
    return address


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535


_ADDRESS_SCHEMA = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}

Address = Annotated[IPv4Address | IPv6Address, PlainValidator(parse_address), WithJsonSchema(_ADDRESS_SCHEMA)]
FlagName = Annotated[
    str,
    AfterValidator(one_of(tuple(SCHEDULER_FLAG_NAMES))),
    Field(json_schema_extra={"enum": list(SCHEDULER_FLAG_NAMES)}),
]
SchedulerName = Annotated[str, AfterValidator(one_of(SCHEDULERS)), Field(json_schema_extra={"enum": list(SCHEDULERS)})]
Netmask = Annotated[IPv4Address, PlainValidator(parse_netmask), WithJsonSchema({"type": "string", "format": "ipv4"})]
Listen = Annotated[ListenAddress, PlainValidator(parse_listen), WithJsonSchema({"type": "string"})]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(parse_name)]
Line = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(parse_name)]
Label = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(parse_label)]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
UserName = Annotated[str, Field(min_length=1)]
CommandLine = Annotated[
    tuple[str, ...],
    PlainValidator(parse_command),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1}),
]
Port = Annotated[int, Field(ge=1, le=65_535)]
PortOrAny = Annotated[int, Field(ge=0, le=65_535)]
Weight = Annotated[int, Field(ge=0, le=MAX_WEIGHT)]
Threshold = Annotated[int, Field(ge=0, le=MAX_THRESHOLD)]
Fwmark = Annotated[int, Field(ge=1, le=MAX_FWMARK)]
Interval = Annotated[Duration, Field(ge=0.01, le=86_400)]
Timeout = Annotated[Duration, Field(ge=0.001, le=3_600)]
Streak = Annotated[int, Field(ge=1, le=1_000)]

FROM_TEXT = Field(strict=False)
"""Takes an enum's word for its member, and an array for a tuple: TOML has neither enums nor tuples."""


class FamilyWord(Enum):
    """Address family of a firewall mark service."""

    INET = "inet"
    INET6 = "inet6"


class Forwarding(Enum):
    """How packets reach a real server.  ``local`` is missing: the kernel detects local addresses."""

    DIRECT = "direct"
    MASQUERADE = "masquerade"
    TUNNEL = "tunnel"


class OnFailure(Enum):
    """What the failure of a check does to its real server."""

    DOWN = "down"
    WEIGHT = "weight"


class EngineWord(Enum):
    """Persistence engines of the kernel."""

    SIP = "sip"


class ServerDetail(Enum):
    """Which metrics there are of each real server."""

    FULL = "full"
    """All of them."""
    STATE = "state"
    """Those that say whether it is in service: no counters, no connections, no times of checks."""
    OFF = "off"
    """None; those of the services remain."""
