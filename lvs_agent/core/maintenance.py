"""Which real servers are in maintenance, given the names of the files in the maintenance directory.

A file takes a real server out of service if its name is the server's address or one of its host names, alone or
followed by a port: the port of its row, a port of its checks, or 0.  A host name may be complete, or only its first
part.  Case and the spelling of addresses do not matter.  An IPv6 address may have brackets, and needs them before a
port.  These are ldirectord's six names (``maintenancedir``), and every other spelling of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from lvs_agent.core.snapshot import ServerKey
from lvs_agent.model.intent import Intent
from lvs_agent.model.ipvs import IPAddress

LONGEST_NAME = 262
"""Longest name of a server: a host name (RFC 1035: 253 characters and a dot), a colon and a port."""

_PORT = re.compile(r"(.*):([0-9]{1,5})", re.DOTALL)
_BRACKETS = re.compile(r"\[(.*)\]")

ServerNames = Mapping[IPAddress, Collection[str]]
"""Host names by address, as far as they are known."""


class _Named(NamedTuple):
    """What a file names: an address or a host name (lower case), and a port or all ports (None)."""

    who: IPAddress | str
    port: int | None


def checked_servers(intent: Intent) -> Mapping[ServerKey, frozenset[int]]:
    """Every real server of ``intent`` with the ports of its checks."""
    return {
        (service.service.key, server.key): frozenset(
            port for check in server.all_checks if (port := intent.checks[check].target.port) is not None
        )
        for service in intent.services
        for server in service.real_servers
    }


def in_maintenance(
    files: Iterable[str], *, servers: Mapping[ServerKey, Collection[int]], names: ServerNames
) -> frozenset[ServerKey]:
    """Those of ``servers`` (with the ports of their checks) that a file names."""
    ports_of = _ports_of(files)
    if not ports_of:
        return frozenset()
    asked = names if any(isinstance(who, str) for who in ports_of) else {}
    return frozenset(
        key
        for key, checked in servers.items()
        for who in _called(key[1].address, asked)
        if who in ports_of and not ports_of[who].isdisjoint((None, 0, key[1].port, *checked))
    )


def has_host_names(files: Iterable[str]) -> bool:
    """Whether a file is named after a host, so that host names are needed to find its server."""
    return any(isinstance(_parse(file).who, str) for file in files if len(file) <= LONGEST_NAME)


def _ports_of(files: Iterable[str]) -> Mapping[IPAddress | str, set[int | None]]:
    """The ports that go with each address and host name; None stands for all of them."""
    ports: dict[IPAddress | str, set[int | None]] = {}
    for file in files:
        if len(file) <= LONGEST_NAME:
            named = _parse(file)
            ports.setdefault(named.who, set()).add(named.port)
    return ports


def _called(address: IPAddress, names: ServerNames) -> Iterable[IPAddress | str]:
    """All names that a file may have for the server at ``address``."""
    yield address
    for name in names.get(address, ()):
        plain = _plain(name)
        yield plain
        yield plain.partition(".")[0]


def _parse(file: str) -> _Named:
    address = _address(file)
    if address is not None:
        return _Named(address, None)
    with_port = _PORT.fullmatch(file)
    who, port = (with_port[1], int(with_port[2])) if with_port else (file, None)
    return _Named(_address(who) or _plain(who), port)


def _address(text: str) -> IPAddress | None:
    brackets = _BRACKETS.fullmatch(text)
    try:
        address = ip_address(brackets[1] if brackets else text)
    except ValueError:
        return None
    return address if brackets is None or address.version == 6 else None


def _plain(name: str) -> str:
    """A host name in the form in which names are compared."""
    return name.lower().removesuffix(".")
