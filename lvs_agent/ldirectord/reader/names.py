"""Names of hosts and services: the one thing that reading an ldirectord.cf asks of the system."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Protocol

from lvs_agent.model.ipvs import IPAddress

WELL_KNOWN: Mapping[str, int] = MappingProxyType(
    {
        "ftp": 21,
        "ssh": 22,
        "telnet": 23,
        "smtp": 25,
        "domain": 53,
        "http": 80,
        "www": 80,
        "pop3": 110,
        "nntp": 119,
        "ntp": 123,
        "imap": 143,
        "imap2": 143,
        "ldap": 389,
        "https": 443,
        "submissions": 465,
        "syslog": 514,
        "submission": 587,
        "ldaps": 636,
        "imaps": 993,
        "pop3s": 995,
        "radius": 1812,
        "mysql": 3306,
        "sip": 5060,
        "sip-tls": 5061,
        "postgresql": 5432,
        "http-alt": 8080,
    }
)
"""Ports of the services that are balanced most, for systems without /etc/services (IANA's numbers)."""


class Names(Protocol):
    """Looks names up; may block for as long as the system's resolver does."""

    def host(self, name: str, family: socket.AddressFamily) -> IPAddress:
        """The first address of ``name`` (a literal address is its own).  Raises OSError or LookupError."""

    def service(self, name: str, protocol: str | None) -> int:
        """The port of the service ``name`` ("tcp", "udp"; None: of whatever protocol).  Raises LookupError."""


class SystemNames:
    """What the system's resolver and /etc/services say; each host is asked for once."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, socket.AddressFamily], IPAddress | OSError] = {}

    def host(self, name: str, family: socket.AddressFamily) -> IPAddress:
        if (name, family) not in self._hosts:
            self._hosts[name, family] = _resolved(name, family)
        known = self._hosts[name, family]
        if isinstance(known, OSError):
            raise known
        return known

    def service(self, name: str, protocol: str | None) -> int:
        try:
            return socket.getservbyname(name, protocol) if protocol else socket.getservbyname(name)
        except (OSError, ValueError):
            return WELL_KNOWN[name]


class FixedNames:
    """Names of hosts from a mapping, and the well-known services; for tests and for machines without a resolver."""

    def __init__(self, hosts: Mapping[str, str] = MappingProxyType({})) -> None:
        self._hosts = hosts

    def host(self, name: str, family: socket.AddressFamily) -> IPAddress:
        try:
            address = ip_address(self._hosts.get(name, name))
        except ValueError as error:
            raise LookupError(name) from error
        if address.version != (6 if family is socket.AF_INET6 else 4):
            raise LookupError(name)
        return address

    def service(self, name: str, protocol: str | None) -> int:
        del protocol
        return WELL_KNOWN[name]


def _resolved(name: str, family: socket.AddressFamily) -> IPAddress | OSError:
    try:
        found = socket.getaddrinfo(name, 0, family)
    except OSError as error:
        return error
    except ValueError:  # a label that is empty or too long for a name
        return socket.gaierror(socket.EAI_NONAME, "not a name of a host")
    return ip_address(str(found[0][4][0]).partition("%")[0])
