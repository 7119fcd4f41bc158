"""Looking hosts and services up."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from lvs_agent.ldirectord.reader.names import WELL_KNOWN, FixedNames, Names, SystemNames


@pytest.mark.parametrize("names", [SystemNames(), FixedNames()], ids=["system", "fixed"])
def test_literal_address_is_its_own(names: Names) -> None:
    """Of both families."""
    assert names.host("192.0.2.1", socket.AF_INET) == ip_address("192.0.2.1")
    assert names.host("2001:db8::1", socket.AF_INET6) == ip_address("2001:db8::1")


@pytest.mark.parametrize("names", [SystemNames(), FixedNames()], ids=["system", "fixed"])
@pytest.mark.parametrize(
    ("name", "family"),
    [("2001:db8::1", socket.AF_INET), ("a..b", socket.AF_INET), ("x" * 300, socket.AF_INET6), ("", socket.AF_INET6)],
)
def test_what_names_no_host_is_told_by_an_exception(names: Names, name: str, family: socket.AddressFamily) -> None:
    """Whatever the name looks like, and however often it is asked for."""
    for _ in range(2):
        with pytest.raises((OSError, LookupError)):
            names.host(name, family)


def test_system_knows_this_host() -> None:
    """By the resolver that every other program uses."""
    assert SystemNames().host("localhost", socket.AF_INET).is_loopback


@pytest.mark.parametrize("names", [SystemNames(), FixedNames()], ids=["system", "fixed"])
def test_services_have_their_ports(names: Names) -> None:
    """Of a protocol, or of any."""
    assert names.service("www", "tcp") == names.service("http", None) == 80
    assert names.service("domain", "udp") == 53
    with pytest.raises(LookupError):
        names.service("nothing-like-that", None)


def test_well_known_ports_are_those_of_the_system() -> None:
    """Where /etc/services knows the name, it is the same."""
    theirs = {}
    for name in WELL_KNOWN:
        try:
            theirs[name] = socket.getservbyname(name)
        except OSError:
            theirs[name] = WELL_KNOWN[name]

    assert theirs == WELL_KNOWN
