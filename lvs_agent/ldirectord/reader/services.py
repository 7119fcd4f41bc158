"""What ldirectord calls a service: a port, and the protocol that a negotiate check speaks there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PORTS: Mapping[str, int] = MappingProxyType(
    {
        "ftp": 21,
        "smtp": 25,
        "dns": 53,
        "http": 80,
        "pop": 110,
        "nntp": 119,
        "imap": 143,
        "ldap": 389,
        "https": 443,
        "submission": 587,
        "ldaps": 636,
        "imaps": 993,
        "pops": 995,
        "oracle": 1521,
        "radius": 1812,
        "http_proxy": 3128,
        "mysql": 3306,
        "sip": 5060,
        "pgsql": 5432,
    }
)
"""The port of each service that has one, and so the service of each such port (ldirectord 4.12, ld_port_to_service)."""

SERVICES = (*PORTS, "none", "simpletcp")
"""Every word that ``service=`` takes."""


def service_of(port: int) -> str:
    """The service of a virtual service on ``port`` that names none."""
    return next((service for service, usual in PORTS.items() if usual == port), "none")
