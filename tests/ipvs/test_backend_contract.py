"""One contract for every backend: the same cases on the table in memory and on a real kernel's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from lvs_agent.errors import AlreadyExists, IpvsError, NoSuchEntry, Refused
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.ipvs.netlink import KernelIpvs
from lvs_agent.model.ipvs import (
    SCHEDULERS,
    AddDestination,
    AddressKey,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    DestinationKey,
    Family,
    ForwardingMethod,
    FwmarkKey,
    Operation,
    Persistence,
    Protocol,
    SchedulerFlag,
    Service,
    ServiceEntry,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    UpdateDestination,
    UpdateService,
)
from lvs_agent.model.outline import outline_of, outlines_differ
from lvs_agent.model.statistics import Rates, Statistics
from tests.ipvs.strategies import operations
from tests.lab.namespace import new_network_namespace

TCP = AddressKey(Protocol.TCP, ip_address("10.0.0.1"), 80)
TCP6 = AddressKey(Protocol.TCP, ip_address("2001:db8::1"), 80)
MARK = FwmarkKey(7, Family.INET)
MARK6 = FwmarkKey(7, Family.INET6)
FOUR = IPv4Address("255.255.255.255")


def service(key: ServiceKey = TCP, scheduler: str = "wrr", **rest: Any) -> Service:
    """A plain service but for ``rest``."""
    return replace(Service(key=key, scheduler=scheduler), **rest)


def destination(address: str = "10.0.1.1", port: int = 80, **rest: Any) -> Destination:
    """A plain destination but for ``rest``."""
    key = DestinationKey(ip_address(address), port)
    return replace(Destination(key=key, forwarding=ForwardingMethod.DIRECT, weight=1), **rest)


def tunnelled(address: str = "10.0.1.1", **tunnel: Any) -> Destination:
    """A destination behind a tunnel."""
    return destination(address, forwarding=ForwardingMethod.TUNNEL, tunnel=replace(Tunnel(), **tunnel))


@pytest.fixture
def kernel() -> Iterator[KernelIpvs]:
    """The table of a new network namespace."""
    with new_network_namespace():
        backend = KernelIpvs()
        yield backend
        backend.close()


@pytest.fixture(params=["memory", pytest.param("kernel", marks=pytest.mark.ipvs)])
def backend(request: pytest.FixtureRequest) -> IpvsBackend:
    """Each backend with an empty table."""
    if request.param == "memory":
        return MemoryIpvs()
    kernel: KernelIpvs = request.getfixturevalue("kernel")
    return kernel


def apply(backend: IpvsBackend, *operations: Operation) -> None:
    """Make every operation."""
    for operation in operations:
        backend.apply(operation)


def only_entry(backend: IpvsBackend) -> ServiceEntry:
    """The only entry of the table."""
    (entry,) = backend.read_table().entries.values()
    return entry


def only_destination(backend: IpvsBackend) -> Destination:
    """The only destination of the only service."""
    (found,) = only_entry(backend).destinations.values()
    return found


SERVICES = [
    *(service(scheduler=name) for name in (*SCHEDULERS, "none")),
    *(service(scheduler_flags=SchedulerFlag(bits)) for bits in (8, 16, 32, 56)),
    service(one_packet=True),
    service(AddressKey(Protocol.UDP, ip_address("10.0.0.1"), 53), one_packet=True),
    service(AddressKey(Protocol.SCTP, ip_address("10.0.0.1"), 90)),
    service(AddressKey(Protocol.TCP, ip_address("10.0.0.1"), 0), persistence=Persistence(timeout_s=60, netmask=FOUR)),
    service(persistence=Persistence(timeout_s=1, netmask=FOUR)),
    service(persistence=Persistence(timeout_s=86_400 * 31, netmask=IPv4Address("255.255.255.0"))),
    service(persistence=Persistence(timeout_s=300, netmask=FOUR, engine="sip")),
    service(TCP6),
    *(service(TCP6, persistence=Persistence(timeout_s=300, netmask=length)) for length in (1, 64, 128)),
    service(MARK),
    service(MARK, persistence=Persistence(timeout_s=300, netmask=IPv4Address("255.255.0.0"))),
    service(MARK6, persistence=Persistence(timeout_s=300, netmask=64)),
    service(FwmarkKey(2**32 - 1, Family.INET)),
]

DESTINATIONS = [
    *(destination(forwarding=method) for method in ForwardingMethod if method is not ForwardingMethod.TUNNEL),
    destination(port=8080, forwarding=ForwardingMethod.MASQUERADE),
    destination(port=0),
    *(destination(weight=weight) for weight in (0, 65_535, 2**31 - 1)),
    destination(upper_threshold=10),
    destination(upper_threshold=10, lower_threshold=10),
    destination(upper_threshold=2**31 - 1, lower_threshold=5),
    tunnelled(),
    *(tunnelled(checksum=checksum) for checksum in TunnelChecksum),
    tunnelled(type=TunnelType.GRE, checksum=TunnelChecksum.CSUM),
    tunnelled(type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.REMCSUM),
    tunnelled("2001:db8:1::1"),
]


@pytest.mark.parametrize("wanted", SERVICES, ids=str)
def test_service_reads_back_as_it_was_added(backend: IpvsBackend, wanted: Service) -> None:
    """Whatever a service may be, the table tells the same."""
    apply(backend, AddService(wanted))

    assert only_entry(backend).service == wanted


@pytest.mark.parametrize("wanted", [row for row in SERVICES if row.key == TCP], ids=str)
def test_service_reads_back_as_it_was_updated(backend: IpvsBackend, wanted: Service) -> None:
    """Each attribute alone can be changed and changed back; destinations stay."""
    apply(backend, AddService(service()), AddDestination(TCP, destination()), UpdateService(wanted))
    changed = only_entry(backend)
    apply(backend, UpdateService(service()))

    assert changed.service == wanted
    assert only_entry(backend).service == service()
    assert only_destination(backend) == destination()


@pytest.mark.parametrize("wanted", DESTINATIONS, ids=str)
def test_destination_reads_back_as_it_was_added(backend: IpvsBackend, wanted: Destination) -> None:
    """Whatever a destination may be, the table tells the same."""
    apply(backend, AddService(service()), AddDestination(TCP, wanted))

    assert only_destination(backend) == wanted


@pytest.mark.parametrize("wanted", [row for row in DESTINATIONS if row.key == destination().key], ids=str)
def test_destination_reads_back_as_it_was_updated(backend: IpvsBackend, wanted: Destination) -> None:
    """Each attribute alone can be changed and changed back."""
    apply(backend, AddService(service()), AddDestination(TCP, destination()), UpdateDestination(TCP, wanted))
    changed = only_destination(backend)
    apply(backend, UpdateDestination(TCP, destination()))

    assert changed == wanted
    assert only_destination(backend) == destination()


def test_tunnel_without_attributes_is_ipip(backend: IpvsBackend) -> None:
    """The kernel fills in a plain IPIP tunnel."""
    apply(
        backend,
        AddService(service()),
        AddDestination(TCP, destination(forwarding=ForwardingMethod.TUNNEL, tunnel=None)),
    )

    assert only_destination(backend).tunnel == Tunnel()


def test_deleted_service_takes_its_destinations_along(backend: IpvsBackend) -> None:
    """A service that comes back is empty."""
    apply(backend, AddService(service()), AddDestination(TCP, destination()), DeleteService(TCP), AddService(service()))

    assert only_entry(backend).destinations == {}


def test_deleted_destination_is_gone(backend: IpvsBackend) -> None:
    """Only the named destination goes; the same address with another port stays."""
    other = destination(port=81, forwarding=ForwardingMethod.MASQUERADE)
    apply(backend, AddService(service()), AddDestination(TCP, destination()), AddDestination(TCP, other))
    backend.apply(DeleteDestination(TCP, destination().key))

    assert only_destination(backend) == other


def test_reading_some_services_leaves_out_the_others(backend: IpvsBackend) -> None:
    """What was not asked for is not there, what does not exist neither."""
    apply(backend, AddService(service()), AddService(service(TCP6)), AddDestination(TCP, destination()))

    assert set(backend.read_table([TCP, MARK]).entries) == {TCP}
    assert set(backend.read_table([TCP]).entries[TCP].destinations) == {destination().key}
    assert backend.read_table([]).entries == {}


def test_mark_of_both_families_is_two_services(backend: IpvsBackend) -> None:
    """An IPv4 and an IPv6 service may share a mark, and each has its own destinations."""
    apply(
        backend,
        AddService(service(MARK)),
        AddService(service(MARK6)),
        AddDestination(MARK, destination(port=0)),
        AddDestination(MARK6, destination("2001:db8:1::1", 0)),
    )
    entries = backend.read_table().entries

    assert set(entries[MARK].destinations) == {destination(port=0).key}
    assert set(entries[MARK6].destinations) == {destination("2001:db8:1::1", 0).key}


def test_statistics_are_told_for_every_row(backend: IpvsBackend) -> None:
    """Rows without traffic count zero, and the table in it is the table."""
    apply(backend, AddService(service()), AddDestination(TCP, destination()), AddService(service(MARK6)))
    found: Statistics = backend.read_statistics()

    assert found.table == backend.read_table()
    assert {key: counters.connections for key, counters in found.services.items()} == {TCP: 0, MARK6: 0}
    assert [row.active_connections for row in found.destinations.values()] == [0]
    assert set(found.destinations) == {(TCP, destination().key)}
    assert found.service_rates == {TCP: Rates(), MARK6: Rates()}
    assert [row.rates for row in found.destinations.values()] == [Rates()]


def test_info_tells_version_and_totals(backend: IpvsBackend) -> None:
    """Every backend knows its version, has totals and no synchronisation daemon."""
    info = backend.read_info()

    assert info.version == "1.2.1"
    assert info.totals is not None
    assert info.sync_daemons == ()


REFUSALS: list[tuple[list[Operation], type[IpvsError], str]] = [
    ([AddService(service()), AddService(service())], AlreadyExists, "EEXIST"),
    ([UpdateService(service())], NoSuchEntry, "ESRCH"),
    ([DeleteService(TCP)], NoSuchEntry, "ESRCH"),
    ([AddDestination(TCP, destination())], NoSuchEntry, "ESRCH"),
    ([DeleteDestination(TCP, destination().key)], NoSuchEntry, "ESRCH"),
    ([AddService(service()), UpdateDestination(TCP, destination())], NoSuchEntry, "ENOENT"),
    ([AddService(service()), DeleteDestination(TCP, destination().key)], NoSuchEntry, "ENOENT"),
    ([AddService(service()), *[AddDestination(TCP, destination())] * 2], AlreadyExists, "EEXIST"),
    ([AddService(service(scheduler="nosuch"))], NoSuchEntry, "ENOENT"),
    ([AddService(service(scheduler="x" * 16))], Refused, "EINVAL"),
    ([AddService(service(persistence=Persistence(timeout_s=1, netmask=FOUR, engine="no")))], NoSuchEntry, "ENOENT"),
    ([AddService(service(persistence=Persistence(timeout_s=1, netmask=24)))], Refused, "EINVAL"),
    ([AddService(service(persistence=Persistence(timeout_s=86_400 * 32, netmask=FOUR)))], Refused, "ERANGE"),
    ([AddService(service(TCP6, persistence=Persistence(timeout_s=1, netmask=0)))], Refused, "EINVAL"),
    ([AddService(service(TCP6, persistence=Persistence(timeout_s=1, netmask=129)))], Refused, "EINVAL"),
    ([AddService(service(TCP6, persistence=Persistence(timeout_s=1, netmask=FOUR)))], Refused, "EINVAL"),
    ([AddService(service(FwmarkKey(0, Family.INET)))], Refused, "ERANGE"),
    ([AddService(service()), AddDestination(TCP, destination(weight=-1))], Refused, "ERANGE"),
    ([AddService(service()), AddDestination(TCP, destination(weight=2**31))], Refused, "ERANGE"),
    ([AddService(service()), AddDestination(TCP, destination(lower_threshold=1))], Refused, "ERANGE"),
    ([AddService(service()), AddDestination(TCP, destination(upper_threshold=2**31))], Refused, "EINVAL"),
    ([AddService(service()), AddDestination(TCP, tunnelled(type=TunnelType.GUE))], Refused, "EINVAL"),
    ([AddService(service()), AddDestination(TCP, destination("2001:db8:1::1"))], Refused, "EINVAL"),
    ([AddService(service()), AddDestination(TCP, destination("224.0.0.1"))], Refused, "EINVAL"),
    ([AddService(service()), AddDestination(TCP, destination("0.0.0.0"))], Refused, "EINVAL"),
    ([AddService(service(TCP6)), AddDestination(TCP6, destination("ff02::1"))], Refused, "EINVAL"),
    ([AddService(service(TCP6)), AddDestination(TCP6, destination("fe80::1"))], Refused, "EINVAL"),
]


@pytest.mark.parametrize(("operations", "error", "name"), REFUSALS, ids=lambda value: str(value)[:60])
def test_refusal_has_the_kernels_reason_and_changes_nothing(
    backend: IpvsBackend, operations: list[Operation], error: type[IpvsError], name: str
) -> None:
    """What cannot be done is refused with the kernel's errno, and the table stays as it was."""
    apply(backend, *operations[:-1])
    before = backend.read_table()
    with pytest.raises(error) as caught:
        backend.apply(operations[-1])

    assert type(caught.value) is error
    assert caught.value.errno_name == name
    assert backend.read_table() == before


def outcomes(backend: IpvsBackend, wanted: Sequence[Operation]) -> list[str]:
    """What came of each operation: ``""``, or the kind of refusal."""
    found = []
    for operation in wanted:
        try:
            backend.apply(operation)
            found.append("")
        except IpvsError as error:
            found.append(f"{type(error).__name__} {error.errno_name}")
    return found


@pytest.mark.ipvs
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Shrinking would cost many times the search: the failing example is printed as it was found.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(wanted=st.lists(operations(odd=True) | operations(), min_size=1, max_size=25))
@example(wanted=[AddService(service()), AddDestination(TCP, destination(forwarding=ForwardingMethod.BYPASS))])
@example(wanted=[AddService(service(TCP6, one_packet=True)), AddService(service(MARK6, one_packet=True))])
@example(wanted=[AddDestination(TCP, destination(lower_threshold=2**31))])
@example(wanted=[AddService(service()), AddDestination(TCP, destination(lower_threshold=2**31))])
def test_memory_does_what_a_kernel_does(kernel: KernelIpvs, wanted: list[Operation]) -> None:
    """Any operations have the same outcomes and leave the same table, in memory and in a kernel, and /proc shows it."""
    for key in kernel.read_table().entries:
        kernel.apply(DeleteService(key))
    memory = MemoryIpvs()

    assert outcomes(memory, wanted) == outcomes(kernel, wanted)
    assert memory.read_table() == kernel.read_table()
    some = list(memory.read_table().entries)[:2]
    assert memory.read_table(some) == kernel.read_table(some)
    assert set(memory.read_outline()) == set(kernel.read_outline())
    keys = memory.read_table().entries
    assert not outlines_differ(memory.read_outline(), kernel.read_outline(), services=keys)
    assert not outlines_differ(outline_of(kernel.read_table()), kernel.read_outline(), services=keys)


@pytest.mark.ipvs
def test_ipvsadm_shows_what_was_written(kernel: KernelIpvs) -> None:
    """ipvsadm, which knows nothing of this program, saves the same table."""
    udp6 = AddressKey(Protocol.UDP, ip_address("2001:db8::1"), 53)
    sip = Persistence(timeout_s=600, netmask=IPv4Address("255.255.255.0"), engine="sip")
    apply(
        kernel,
        AddService(service(persistence=sip)),
        AddDestination(TCP, destination(port=8080, forwarding=ForwardingMethod.MASQUERADE, weight=3)),
        AddDestination(TCP, tunnelled("10.0.1.2", type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.CSUM)),
        AddService(service(udp6, "sh", one_packet=True, scheduler_flags=SchedulerFlag.FLAG_1 | SchedulerFlag.FLAG_2)),
        AddDestination(udp6, destination("2001:db8:1::1", 53, weight=0)),
        AddService(service(MARK6, "mh", persistence=Persistence(timeout_s=60, netmask=64))),
    )
    saved = subprocess.run(["ipvsadm", "-S", "-n"], capture_output=True, text=True, check=True).stdout

    assert sorted(line.strip() for line in saved.splitlines()) == sorted(
        [
            "-A -t 10.0.0.1:80 -s wrr -p 600 -M 255.255.255.0 --pe sip",
            "-a -t 10.0.0.1:80 -r 10.0.1.1:8080 -m -w 3",
            "-a -t 10.0.0.1:80 -r 10.0.1.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum",
            "-A -u [2001:db8::1]:53 -s sh -o -b sh-fallback,sh-port",
            "-a -u [2001:db8::1]:53 -r [2001:db8:1::1]:53 -g -w 0",
            "-A -f 7 -6 -s mh -p 60 -M 64",
        ]
    )
