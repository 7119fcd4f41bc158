from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.model.ipvs import AddressKey, DestinationKey, Family, FwmarkKey, Protocol, ServiceKey
from lvs_agent.model.keys import parse_destination_key, parse_service_key

PORTS = st.integers(0, 65_535)
DESTINATIONS = st.builds(DestinationKey, st.ip_addresses(), PORTS)
SERVICES = st.one_of(
    st.builds(AddressKey, st.sampled_from(Protocol), st.ip_addresses(), PORTS),
    st.builds(FwmarkKey, st.integers(1, 2**32 - 1), st.sampled_from(Family)),
)


@given(DESTINATIONS)
def test_destination_is_read_back_from_its_text(key: DestinationKey) -> None:
    """Both families, every port."""
    assert parse_destination_key(str(key)) == key


@given(SERVICES)
def test_service_is_read_back_from_its_text(key: ServiceKey) -> None:
    """Addresses and marks of both families."""
    assert parse_service_key(str(key)) == key


@given(SERVICES, SERVICES)
def test_no_two_services_have_one_text(one: ServiceKey, other: ServiceKey) -> None:
    """The text is as good a key as the key."""
    assert (str(one) == str(other)) is (one == other)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (parse_service_key("tcp/192.0.2.1:443"), "tcp/192.0.2.1:443"),
        (parse_service_key("udp/[2001:DB8::0:53]:53"), "udp/[2001:db8::53]:53"),
        (parse_service_key("fwm/5/inet6"), "fwm/5/inet6"),
    ],
)
def test_text_of_a_service_is_its_canonical_one(key: ServiceKey, text: str) -> None:
    """However the address was written."""
    assert str(key) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "tcp", "tcp/", "tcp/1.2.3.4", "tcp/1.2.3.4:65536", "tcp/1.2.3:1", "tcp/::1:80", "tcp/[::1]"),
        *("icmp/1.2.3.4:1", "tcp/[1.2.3]:1", "tcp/1.2.3.4:80 ", "tcp/1.2.3.4:+1"),
        *("fwm/5", "fwm/x/inet", "fwm/5/ipx", "fwm/-1/inet", "fwm/²/inet"),
    ],
)
def test_text_of_no_service_is_refused(text: str) -> None:
    """Whatever is in a state file, a key is a key or an error."""
    with pytest.raises(ValueError, match=r".+"):
        parse_service_key(text)


@given(st.text())
def test_any_text_is_a_key_or_a_value_error(text: str) -> None:
    """Nothing else comes out of a parser."""
    try:
        key = parse_service_key(text)
    except ValueError:
        return
    assert parse_service_key(str(key)) == key


def test_family_follows_from_the_address_or_is_the_marks_own() -> None:
    """The kernel's number and our word."""
    families = [parse_service_key(text).family for text in ("tcp/1.2.3.4:1", "tcp/[::1]:1", "fwm/1/inet6")]

    assert families == [Family.INET, Family.INET6, Family.INET6]
    assert [family.word for family in families] == ["inet", "inet6", "inet6"]
