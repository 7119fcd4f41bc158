from __future__ import annotations

from ipaddress import ip_address

import pytest

from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.ipvs import (
    AddDestination,
    AddressKey,
    AddService,
    DeleteDestination,
    Destination,
    DestinationKey,
    ForwardingMethod,
    Protocol,
    Service,
)
from lvs_agent.model.statistics import Counters, DestinationStatistics, Rates

KEY = AddressKey(Protocol.TCP, ip_address("10.0.0.1"), 80)
REAL = DestinationKey(ip_address("10.0.1.1"), 80)


@pytest.fixture
def memory() -> MemoryIpvs:
    """A table with one destination."""
    table = MemoryIpvs(sysctls={"conntrack": 1})
    table.apply(AddService(Service(key=KEY, scheduler="wrr")))
    table.apply(
        AddDestination(KEY, Destination(key=REAL, forwarding=ForwardingMethod.DIRECT, weight=1)),
    )
    return table


def statistics(connections: int, *, active: int = 0) -> DestinationStatistics:
    """So many connections, each of 100 bytes in."""
    counters = Counters(connections=connections, incoming_bytes=connections * 100)
    return DestinationStatistics(counters=counters, active_connections=active)


def test_recorded_traffic_is_told(memory: MemoryIpvs) -> None:
    """The destination has what was recorded; the service and the totals have gained as much."""
    memory.record(service=KEY, destination=REAL, statistics=statistics(3, active=2))
    memory.record(service=KEY, destination=REAL, statistics=statistics(5, active=1))
    found = memory.read_statistics()

    assert found.destinations[KEY, REAL] == statistics(5, active=1)
    assert found.services[KEY] == Counters(connections=5, incoming_bytes=500)
    assert memory.read_info().totals == Counters(connections=5, incoming_bytes=500)


def test_recorded_rates_add_up_to_those_of_the_service(memory: MemoryIpvs) -> None:
    """A service forwards what its destinations get."""
    other = DestinationKey(ip_address("10.0.1.2"), 80)
    memory.apply(AddDestination(KEY, Destination(key=other, forwarding=ForwardingMethod.DIRECT, weight=1)))
    for server, rate in ((REAL, 3), (other, 4)):
        rates = Rates(connections=rate, incoming_packets=10 * rate, outgoing_packets=rate, incoming_bytes=1000 * rate)
        memory.record(service=KEY, destination=server, statistics=DestinationStatistics(rates=rates))

    assert memory.read_statistics().service_rates[KEY] == Rates(
        connections=7, incoming_packets=70, outgoing_packets=7, incoming_bytes=7000
    )


def test_deleted_destination_takes_its_counters_along(memory: MemoryIpvs) -> None:
    """The service keeps what it has counted."""
    memory.record(service=KEY, destination=REAL, statistics=statistics(3))
    memory.apply(DeleteDestination(KEY, REAL))
    memory.apply(AddDestination(KEY, Destination(key=REAL, forwarding=ForwardingMethod.DIRECT, weight=1)))
    found = memory.read_statistics()

    assert found.destinations[KEY, REAL] == DestinationStatistics(rates=Rates())
    assert found.services[KEY].connections == 3


def test_traffic_of_an_unknown_destination_is_an_error(memory: MemoryIpvs) -> None:
    """A test that records for the wrong key hears of it."""
    with pytest.raises(KeyError):
        memory.record(service=KEY, destination=DestinationKey(ip_address("10.0.1.2"), 80), statistics=statistics(1))


def test_settings_are_told_as_given(memory: MemoryIpvs) -> None:
    """A demonstration chooses its own."""
    assert memory.read_info().sysctls == {"conntrack": 1}


def test_reading_is_not_changed_by_later_operations(memory: MemoryIpvs) -> None:
    """A table that was read is a picture of its moment."""
    before = memory.read_table()
    memory.apply(DeleteDestination(KEY, REAL))

    assert set(before.entries[KEY].destinations) == {REAL}
