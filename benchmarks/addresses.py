"""Real servers' addresses: all on loopback, so nothing leaves the machine."""

from __future__ import annotations

from ipaddress import IPv4Address

_FIRST = IPv4Address("127.0.1.1")


def loopback_addresses(count: int) -> list[IPv4Address]:
    """``count`` different addresses of 127.0.0.0/8."""
    return [_FIRST + number for number in range(count)]
