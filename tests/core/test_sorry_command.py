from __future__ import annotations

import pytest

from lvs_agent.core.sorry_command import SorryAction, call_arguments
from lvs_agent.model.ipvs import Family, ServiceKey
from tests.builders import fwmark_key, service_key


@pytest.mark.parametrize(
    ("service", "place", "protocol"),
    [
        pytest.param(service_key(), "192.0.2.1:80", "tcp", id="tcp"),
        pytest.param(service_key(protocol="udp", port=53), "192.0.2.1:53", "udp", id="udp"),
        pytest.param(service_key(address="2001:db8::1"), "[2001:db8::1]:80", "tcp", id="IPv6"),
        pytest.param(fwmark_key(mark=7), "7:0", "fwm", id="firewall mark"),
        pytest.param(fwmark_key(mark=7, family=Family.INET6), "7:0", "fwm", id="firewall mark of IPv6"),
    ],
)
def test_command_learns_action_place_and_protocol(service: ServiceKey, place: str, protocol: str) -> None:
    """Three words, as scripts written for ldirectord expect them."""
    assert call_arguments(service, SorryAction.START) == ("start", place, protocol)
    assert call_arguments(service, SorryAction.STOP) == ("stop", place, protocol)
