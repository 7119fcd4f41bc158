from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.checks.net import icmp
from lvs_agent.model.ipvs import Family

families = st.sampled_from(Family)
numbers = st.integers(0, 0xFFFF)


@given(families, st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_never_raise(family: Family, packet: bytes, with_ip_header: bool) -> None:  # noqa: FBT001
    """Whatever comes in from the network is a message or nothing."""
    icmp.parse(family, packet, with_ip_header=with_ip_header)


@given(families, numbers, numbers, st.binary(max_size=100))
def test_reply_to_a_request_is_recognised(family: Family, identifier: int, sequence: int, payload: bytes) -> None:
    """A host answers with the same bytes under another type."""
    request = icmp.echo_request(family, identifier=identifier, sequence=sequence, payload=payload)
    reply = bytes([0 if family is Family.INET else 129]) + request[1:]

    assert icmp.parse(family, reply) == icmp.EchoReply(identifier, sequence, payload)
    assert icmp.parse(family, request) is None


@given(numbers, numbers, st.binary(max_size=100))
def test_checksum_of_a_request_is_right(identifier: int, sequence: int, payload: bytes) -> None:
    """The checksum over a message with its checksum is nought (RFC 1071)."""
    request = icmp.echo_request(Family.INET, identifier=identifier, sequence=sequence, payload=payload)

    assert icmp.checksum(request) == 0


@pytest.mark.parametrize(
    ("family", "kind", "header", "detail"),
    [
        (Family.INET, 3, b"\x45" + bytes(19), "host unreachable"),
        (Family.INET6, 1, b"\x60" + bytes(5) + b"\x3a" + bytes(33), "administratively prohibited"),
    ],
)
def test_error_about_a_request_is_recognised(family: Family, kind: int, header: bytes, detail: str) -> None:
    """An error quotes the packet that it is about."""
    request = icmp.echo_request(family, identifier=7, sequence=9, payload=b"x" * 16)
    error = bytes([kind, 1]) + bytes(6) + header + request

    assert icmp.parse(family, error) == icmp.EchoProblem(7, 9, detail)


def test_ip_header_is_passed_over() -> None:
    """A raw IPv4 socket gives the header too, with options where there are some."""
    reply = bytes([0, 0, 0, 0, 0, 1, 0, 2])

    assert icmp.parse(Family.INET, b"\x46" + bytes(23) + reply, with_ip_header=True) == icmp.EchoReply(1, 2, b"")
