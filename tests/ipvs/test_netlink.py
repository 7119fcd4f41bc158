from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from lvs_agent.errors import IpvsError, ModuleMissing, NoSuchEntry, NotPermitted, Unavailable
from lvs_agent.ipvs.namespace import add_loopback_address, has_ipvs
from lvs_agent.ipvs.netlink import KernelIpvs
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
    UpdateDestination,
)
from lvs_agent.model.statistics import SyncDaemon
from tests.lab.namespace import new_network_namespace
from tests.lab.plugin import kernel_has_ipvs

PROC = Path("/proc")
KEY = AddressKey(Protocol.TCP, ip_address("10.0.0.1"), 80)


def destination(number: int, weight: int = 1) -> Destination:
    """One of many."""
    key = DestinationKey(IPv4Address("10.1.0.0") + number, 80)
    return Destination(key=key, forwarding=ForwardingMethod.DIRECT, weight=weight)


@pytest.fixture
def kernel(network_namespace: None) -> Iterator[KernelIpvs]:
    """The table of a new network namespace."""
    backend = KernelIpvs()
    yield backend
    backend.close()


@contextmanager
def without_privileges() -> Iterator[None]:
    """Within the block this process is nobody."""
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.ipvs
def test_dump_of_many_destinations_is_whole(kernel: KernelIpvs) -> None:
    """Many datagrams make one answer, and the outline is read to its end."""
    kernel.apply(AddService(Service(key=KEY, scheduler="wrr")))
    wanted = [destination(number) for number in range(1, 1_001)]
    for row in wanted:
        kernel.apply(AddDestination(KEY, row))
    (service,) = kernel.read_outline()[KEY.protocol, DestinationKey(KEY.address, KEY.port)]

    assert kernel.read_table([KEY]).entries[KEY].destinations == {row.key: row for row in wanted}
    assert len(service.destinations) == 1_000


@pytest.mark.ipvs
def test_module_that_was_loaded_anew_is_found_again(kernel: KernelIpvs) -> None:
    """Its family has another number then, and the kernel knows the old one no longer, as it never knew this one."""
    kernel.apply(AddService(Service(key=KEY, scheduler="wrr")))
    for ask in (
        kernel.read_table,
        lambda: kernel.read_table([KEY]),
        kernel.read_info,
        lambda: kernel.apply(AddDestination(KEY, destination(1))),
    ):
        right, kernel._family = kernel._family, 0x7FF
        ask()
        assert kernel._family == right

    assert len(kernel.read_table().entries[KEY].destinations) == 1
    with pytest.raises(NoSuchEntry):
        kernel.apply(DeleteDestination(KEY, destination(2).key))


@pytest.mark.ipvs
def test_only_what_has_changed_is_taken_apart_again(kernel: KernelIpvs) -> None:
    """The rows of this very kernel are known again in the next reading; one that was changed is read anew."""
    kernel.apply(AddService(Service(key=KEY, scheduler="wrr")))
    kept, changed = destination(1), destination(2)
    for row in (kept, changed):
        kernel.apply(AddDestination(KEY, row))
    before = kernel.read_table().entries[KEY].destinations
    kernel.apply(UpdateDestination(KEY, destination(2, weight=7)))
    after = kernel.read_statistics().table.entries[KEY].destinations

    assert after[kept.key] is before[kept.key]
    assert (before[changed.key].weight, after[changed.key].weight) == (1, 7)


@pytest.mark.ipvs
def test_backend_stays_in_the_namespace_where_it_was_made(kernel: KernelIpvs) -> None:
    """A thread that is somewhere else writes to the table that the backend was made for."""
    with new_network_namespace():
        kernel.apply(AddService(Service(key=KEY, scheduler="wrr")))
        elsewhere = KernelIpvs()
        seen = elsewhere.read_table()
        elsewhere.close()

    assert not seen.entries
    assert set(kernel.read_table().entries) == {KEY}


@pytest.mark.ipvs
def test_threads_share_a_backend(kernel: KernelIpvs) -> None:
    """Readers and a writer at the same time each get their own answers."""
    kernel.apply(AddService(Service(key=KEY, scheduler="wrr")))
    for number in range(1, 201):
        kernel.apply(AddDestination(KEY, destination(number)))
    sizes: list[int] = []
    readers = [
        threading.Thread(target=lambda: sizes.append(len(kernel.read_table([KEY]).entries[KEY].destinations)))
        for _ in range(8)
    ]
    for reader in readers:
        reader.start()
    for number in range(1, 201):
        kernel.apply(UpdateDestination(KEY, destination(number, weight=7)))
    for reader in readers:
        reader.join()

    assert sizes == [200] * 8
    assert {row.weight for row in kernel.read_table().entries[KEY].destinations.values()} == {7}


@pytest.mark.ipvs
def test_answer_that_was_given_up_does_not_count(kernel: KernelIpvs) -> None:
    """After a time limit the next call gets its own answer, not the late one."""
    kernel.apply(AddService(Service(key=KEY, scheduler="wrr")))
    for number in range(1, 501):
        kernel.apply(AddDestination(KEY, destination(number)))
    conversation = kernel._conversation
    patience, conversation._timeout_s = conversation._timeout_s, 1e-6
    with pytest.raises(Unavailable) as caught:
        kernel.read_table()
    conversation._timeout_s = patience

    assert caught.value.errno_name == "ETIMEDOUT"
    assert len(kernel.read_table().entries[KEY].destinations) == 500


@pytest.mark.ipvs
def test_without_the_capability_every_request_says_so(kernel: KernelIpvs) -> None:
    """The error names the capability, and nothing is known to be usable."""
    with without_privileges():
        with closing(KernelIpvs()) as other, pytest.raises(NotPermitted, match="CAP_NET_ADMIN") as caught:
            other.read_table()
        usable = has_ipvs(procfs=PROC)

    assert caught.value.errno_name == "EPERM"
    assert not usable
    assert has_ipvs(procfs=PROC)


@pytest.mark.ipvs
def test_info_of_a_kernel_is_told(kernel: KernelIpvs) -> None:
    """Totals, settings and a synchronisation daemon that runs."""
    for command in (
        "ip link add v0 type veth peer name v1",
        "ip link set v0 up",
        "ip address add 10.99.0.1/24 dev v0",
        "ipvsadm --start-daemon backup --mcast-interface v0 --syncid 3",
    ):
        subprocess.run(command.split(), check=True)
    info = kernel.read_info()
    subprocess.run(["ipvsadm", "--stop-daemon", "backup"], check=True)

    assert info.sync_daemons == (SyncDaemon(role="backup", interface="v0"),)
    assert info.sysctls["expire_quiescent_template"] == 0
    assert info.connection_table_size is not None
    assert info.totals is not None


@pytest.mark.ipvs
def test_rates_of_traffic_are_told_while_the_kernel_estimates(kernel: KernelIpvs) -> None:
    """Of the service and of its destination; and whether the kernel keeps them up to date."""
    virtual, real = ip_address("10.44.0.9"), ip_address("10.44.0.1")
    key = AddressKey(Protocol.UDP, virtual, 53)
    row = Destination(key=DestinationKey(real, 53), forwarding=ForwardingMethod.MASQUERADE, weight=1)
    for address in (virtual, real):
        add_loopback_address(address)
    kernel.apply(AddService(Service(key=key, scheduler="rr")))
    kernel.apply(AddDestination(key, row))
    deadline = time.monotonic() + 40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind((str(real), 53))
        while True:
            for _ in range(200):
                client.sendto(b"x" * 100, (str(virtual), 53))
            told = kernel.read_statistics()
            rates, of_row = told.service_rates[key], told.destinations[key, row.key].rates
            if (rates.incoming_packets and of_row and of_row.incoming_packets) or time.monotonic() > deadline:
                break
            time.sleep(0.1)

    assert of_row is not None
    assert rates.incoming_packets > 0 < of_row.incoming_packets
    assert rates.incoming_bytes >= 100 * rates.incoming_packets
    assert kernel.read_info().estimates
    Path("/proc/sys/net/ipv4/vs/run_estimation").write_text("0", encoding="ascii")
    assert not kernel.read_info().estimates


@pytest.mark.ipvs
def test_loopback_of_a_new_namespace_can_be_bound(network_namespace: None) -> None:
    """``lo`` is up, and takes further addresses of both families."""
    for text, family in (("10.44.0.1", socket.AF_INET), ("2001:db8:44::1", socket.AF_INET6)):
        add_loopback_address(ip_address(text))
        with socket.socket(family) as server, socket.socket(family) as client:
            server.bind((text, 0))
            server.listen()
            client.connect(server.getsockname()[:2])


@pytest.mark.skipif(kernel_has_ipvs(), reason="this kernel has ip_vs")
def test_kernel_without_the_module_says_what_to_do() -> None:
    """The error names the remedy, and the table counts as not usable."""
    with pytest.raises(ModuleMissing, match="modprobe ip_vs") as caught:
        KernelIpvs()

    assert caught.value.errno_name == "ENOENT"
    assert not has_ipvs(procfs=PROC)


@pytest.mark.ipvs
def test_closed_backend_raises_no_foreign_error(kernel: KernelIpvs) -> None:
    """Calls after close are errors of the one kind."""
    kernel.close()

    with pytest.raises(IpvsError):
        kernel.read_table()
