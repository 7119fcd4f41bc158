"""Parses keys from the text that ``str()`` returns: ``tcp/192.0.2.1:443``, ``fwm/5/inet6``, ``[2001:db8::2]:80``."""

from __future__ import annotations

import re
from ipaddress import ip_address

from lvs_agent.model.ipvs import AddressKey, DestinationKey, Family, FwmarkKey, Protocol, ServiceKey

_ADDRESS_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})")


def parse_destination_key(text: str) -> DestinationKey:
    """The destination that ``text`` names.  Raises ValueError if it does not name one."""
    match = _ADDRESS_AND_PORT.fullmatch(text)
    if match is None or int(match[3]) > 65_535:
        raise ValueError(f"not an address with a port: {text!r}")
    return DestinationKey(ip_address(match[1] or match[2]), int(match[3]))


def parse_service_key(text: str) -> ServiceKey:
    """The service that ``text`` names.  Raises ValueError if it does not name one."""
    kind, _, rest = text.partition("/")
    if kind == "fwm":
        mark, _, family = rest.partition("/")
        if mark.isascii() and mark.isdigit() and family in ("inet", "inet6"):
            return FwmarkKey(int(mark), Family[family.upper()])
        raise ValueError(f"not a firewall mark with its family: {text!r}")
    place = parse_destination_key(rest)
    return AddressKey(Protocol(kind), place.address, place.port)
