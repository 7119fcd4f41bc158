from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.ipvs.ipvsadm import rules
from lvs_agent.model.ipvs import (
    Destination,
    Family,
    ForwardingMethod,
    SchedulerFlag,
    Service,
    Table,
    Tunnel,
    TunnelChecksum,
    TunnelType,
)
from tests.builders import destination, fwmark_key, persistence, service, service_entry, service_key, table

GUE = Tunnel(type=TunnelType.GUE, port=6080)
TUNNEL = ForwardingMethod.TUNNEL


def rule_of_service(wanted: Service) -> str:
    """The ``-A`` line."""
    (line,) = rules(table(service_entry(service=wanted)))
    return line


def rule_of_destination(row: Destination) -> str:
    """The ``-a`` line behind the service's key."""
    _, line = rules(table(service_entry(service=service(), destinations=[row])))
    return line.removeprefix("-a -t 192.0.2.1:80 ")


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        (service(), "-A -t 192.0.2.1:80 -s wrr"),
        (service(key=service_key(protocol="udp"), one_packet=True), "-A -u 192.0.2.1:80 -s wrr -o"),
        (service(key=service_key(protocol="sctp")), "-A --sctp-service 192.0.2.1:80 -s wrr"),
        (service(key=service_key(address="2001:db8::1")), "-A -t [2001:db8::1]:80 -s wrr"),
        (service(key=fwmark_key(mark=10)), "-A -f 10 -s wrr"),
        (service(key=fwmark_key(mark=10, family=Family.INET6)), "-A -f 10 -6 -s wrr"),
        (service(persistence=persistence(timeout_s=360)), "-A -t 192.0.2.1:80 -s wrr -p 360"),
        (
            service(persistence=persistence(netmask=IPv4Address("255.255.255.0"))),
            "-A -t 192.0.2.1:80 -s wrr -p 600 -M 255.255.255.0",
        ),
        (
            service(key=fwmark_key(family=Family.INET6), persistence=persistence(netmask=128)),
            "-A -f 10 -6 -s wrr -p 600",
        ),
        (
            service(key=fwmark_key(family=Family.INET6), persistence=persistence(netmask=64)),
            "-A -f 10 -6 -s wrr -p 600 -M 64",
        ),
        (service(persistence=persistence(engine="sip")), "-A -t 192.0.2.1:80 -s wrr -p 600 --pe sip"),
        (service(scheduler="sh", scheduler_flags=SchedulerFlag.FLAG_1), "-A -t 192.0.2.1:80 -s sh -b sh-fallback"),
        (service(scheduler="sh", scheduler_flags=SchedulerFlag.FLAG_2), "-A -t 192.0.2.1:80 -s sh -b sh-port"),
        (
            service(scheduler="mh", scheduler_flags=SchedulerFlag.FLAG_1 | SchedulerFlag.FLAG_2),
            "-A -t 192.0.2.1:80 -s mh -b mh-fallback,mh-port",
        ),
        (
            service(scheduler="mh", scheduler_flags=SchedulerFlag.FLAG_2 | SchedulerFlag.FLAG_3),
            "-A -t 192.0.2.1:80 -s mh -b mh-port,flag-3",
        ),
        (service(scheduler="rr", scheduler_flags=SchedulerFlag.FLAG_1), "-A -t 192.0.2.1:80 -s rr -b flag-1"),
    ],
)
def test_service_is_written_as_ipvsadm_saves_it(wanted: Service, rule: str) -> None:
    """Only what is not ipvsadm's default is there."""
    assert rule_of_service(wanted) == rule


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (destination(weight=3), "-r 10.0.0.1:80 -g -w 3"),
        (destination(address="2001:db8::2", weight=0), "-r [2001:db8::2]:80 -g -w 0"),
        (destination(forwarding=ForwardingMethod.MASQUERADE, port=8080), "-r 10.0.0.1:8080 -m -w 1"),
        (destination(forwarding=TUNNEL), "-r 10.0.0.1:80 -i -w 1 --tun-type ipip"),
        (
            destination(forwarding=TUNNEL, tunnel=GUE),
            "-r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
        ),
        (
            destination(forwarding=TUNNEL, tunnel=replace(GUE, checksum=TunnelChecksum.CSUM)),
            "-r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum",
        ),
        (
            destination(forwarding=TUNNEL, tunnel=replace(GUE, checksum=TunnelChecksum.REMCSUM)),
            "-r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
        ),
        (
            destination(forwarding=TUNNEL, tunnel=Tunnel(type=TunnelType.GRE)),
            "-r 10.0.0.1:80 -i -w 1 --tun-type gre --tun-nocsum",
        ),
        (destination(upper_threshold=9, lower_threshold=3), "-r 10.0.0.1:80 -g -w 1"),
    ],
)
def test_destination_is_written_as_ipvsadm_saves_it(row: Destination, rule: str) -> None:
    """Without thresholds, which ``ipvsadm -S`` does not print either."""
    assert rule_of_destination(row) == rule


def test_destination_repeats_the_key_of_its_service() -> None:
    """Each line stands for itself."""
    marked = service(key=fwmark_key(mark=10, family=Family.INET6))
    lines = rules(table(service_entry(service=marked, destinations=[destination(address="2001:db8::2", port=0)])))

    assert lines[1] == "-a -f 10 -6 -r [2001:db8::2]:0 -g -w 1"


def test_no_table_is_no_line() -> None:
    """As ipvsadm prints nothing."""
    assert rules(Table()) == ()


@given(st.lists(st.integers(1, 9), unique=True), st.lists(st.integers(1, 9), unique=True))
def test_every_row_is_one_line_in_the_tables_order(ports: list[int], lasts: list[int]) -> None:
    """A service, then its destinations, then the next service."""
    rows = [destination(address=f"10.0.0.{last}") for last in lasts]
    lines = rules(
        table(*(service_entry(service=service(key=service_key(port=port)), destinations=rows) for port in ports))
    )

    assert [line.split()[0] for line in lines] == ["-A", *["-a"] * len(lasts)] * len(ports)
    assert [line.split()[2] for line in lines if line.startswith("-A")] == [f"192.0.2.1:{port}" for port in ports]
