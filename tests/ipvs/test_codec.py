from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.errors import Refused, Unavailable
from lvs_agent.ipvs import wire
from lvs_agent.ipvs.codec import (
    decode_daemon,
    decode_destination,
    decode_info,
    decode_service,
    encode,
    get_destinations,
)
from lvs_agent.ipvs.uapi import Command, Dest, Stat, Svc, Top
from lvs_agent.model.ipvs import (
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
    Persistence,
    Protocol,
    SchedulerFlag,
    Service,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    UpdateDestination,
    UpdateService,
)
from lvs_agent.model.statistics import Counters, DestinationStatistics, Rates, SyncDaemon
from tests.ipvs.strategies import destinations, service_keys, services

RECORDED: dict[str, Any] = json.loads(Path("tests/data/ipvs/linux-7.2.json").read_text())
GENERIC_HEADER = b"\1\1\0\0"
SERVICE = Service(key=AddressKey(Protocol.TCP, ip_address("10.0.0.1"), 80), scheduler="wrr")
DESTINATION = Destination(
    key=DestinationKey(ip_address("10.0.1.1"), 80), forwarding=ForwardingMethod.TUNNEL, weight=1, tunnel=Tunnel()
)


def service_row(*, without: int | None = None, **changed: bytes) -> bytes:
    """A reply that holds SERVICE, without one attribute or with others in its place."""
    return _row(encode(AddService(SERVICE)).attributes, kind=Top.SERVICE, names=Svc, without=without, changed=changed)


def destination_row(*, without: int | None = None, **changed: bytes) -> bytes:
    """A reply that holds DESTINATION, without one attribute or with others in its place."""
    request = encode(AddDestination(SERVICE.key, DESTINATION)).attributes
    return _row(request, kind=Top.DEST, names=Dest, without=without, changed=changed)


def _row(
    request: bytes, *, kind: Top, names: type[Svc | Dest], without: int | None, changed: dict[str, bytes]
) -> bytes:
    found = wire.walk(wire.walk(request)[kind])
    found.update({_number(names, name): value for name, value in changed.items()})
    attributes = [wire.attribute(number, value) for number, value in found.items() if number != without]
    return GENERIC_HEADER + wire.nested(kind, *attributes)


def _number(names: type[Svc | Dest], name: str) -> int:
    """The number of an attribute; the 32-bit counters have one that the agent does not use."""
    return 10 if name == "STATS" else names[name]


def decoded_destination(payload: bytes) -> Destination:
    """The destination in ``payload`` of an IPv4 service."""
    found = decode_destination(payload, family=Family.INET)
    assert found is not None
    return found[0]


def decoded_service(payload: bytes) -> Service:
    """The service in ``payload``."""
    found = decode_service(payload)
    assert found is not None
    return found[0]


@given(services())
def test_encoded_service_decodes_to_itself(service: Service) -> None:
    """Nothing that a service can be is lost on the wire."""
    payload = GENERIC_HEADER + encode(AddService(service)).attributes

    assert decoded_service(payload) == service


@given(destinations())
def test_encoded_destination_decodes_to_itself(destination: Destination) -> None:
    """Nothing that a destination can be is lost on the wire."""
    payload = GENERIC_HEADER + encode(AddDestination(SERVICE.key, destination)).attributes

    assert decoded_destination(payload) == destination


@given(service_keys())
def test_request_for_destinations_names_the_service(key: AddressKey | FwmarkKey) -> None:
    """The dump of destinations carries the whole identity of its service, and nothing more."""
    outer = wire.walk(get_destinations(key).attributes)
    identity = wire.walk(outer[Top.SERVICE])
    kinds = {Svc.AF, Svc.FWMARK} if isinstance(key, FwmarkKey) else {Svc.AF, Svc.PROTOCOL, Svc.ADDR, Svc.PORT}

    assert set(outer) == {Top.SERVICE}
    assert set(identity) == kinds


@pytest.mark.parametrize(
    ("operation", "command"),
    [
        (AddService(SERVICE), Command.NEW_SERVICE),
        (UpdateService(SERVICE), Command.SET_SERVICE),
        (DeleteService(SERVICE.key), Command.DEL_SERVICE),
        (AddDestination(SERVICE.key, DESTINATION), Command.NEW_DEST),
        (UpdateDestination(SERVICE.key, DESTINATION), Command.SET_DEST),
        (DeleteDestination(SERVICE.key, DESTINATION.key), Command.DEL_DEST),
    ],
)
def test_operation_has_its_command(operation: Any, command: Command) -> None:
    """An update is not a deletion."""
    assert encode(operation).command is command


@pytest.mark.parametrize(
    "operation",
    [
        AddService(replace(SERVICE, key=FwmarkKey(0, Family.INET))),
        AddService(replace(SERVICE, key=FwmarkKey(2**32, Family.INET))),
        DeleteService(AddressKey(Protocol.TCP, ip_address("10.0.0.1"), 65_536)),
        AddService(replace(SERVICE, persistence=Persistence(timeout_s=-1, netmask=IPv4Address(0)))),
        AddDestination(SERVICE.key, replace(DESTINATION, weight=2**31)),
        AddDestination(SERVICE.key, replace(DESTINATION, upper_threshold=-1)),
        AddDestination(SERVICE.key, replace(DESTINATION, tunnel=Tunnel(port=65_536))),
    ],
    ids=str,
)
def test_number_that_no_attribute_can_hold_is_refused(operation: Any) -> None:
    """A value is never cut to fit."""
    with pytest.raises(Refused) as caught:
        encode(operation)

    assert caught.value.errno_name == "ERANGE"


def test_recorded_services_are_read() -> None:
    """What Linux 7.2 said about services made by ipvsadm is what ipvsadm was given."""
    found = [decoded_service(bytes.fromhex(text)) for text in RECORDED["services"]]
    everyone = IPv4Address("255.255.255.255")

    assert set(found) == {
        Service(
            key=AddressKey(Protocol.TCP, ip_address("10.9.0.1"), 80),
            scheduler="wrr",
            persistence=Persistence(timeout_s=600, netmask=IPv4Address("255.255.255.0")),
        ),
        Service(
            key=AddressKey(Protocol.UDP, ip_address("2001:db8::1"), 53),
            scheduler="sh",
            scheduler_flags=SchedulerFlag.FLAG_1 | SchedulerFlag.FLAG_2,
            one_packet=True,
        ),
        Service(
            key=FwmarkKey(10, Family.INET), scheduler="rr", persistence=Persistence(timeout_s=360, netmask=everyone)
        ),
        Service(key=FwmarkKey(10, Family.INET6), scheduler="rr", persistence=Persistence(timeout_s=60, netmask=64)),
        Service(
            key=AddressKey(Protocol.SCTP, ip_address("10.0.0.1"), 90),
            scheduler="mh",
            scheduler_flags=SchedulerFlag.FLAG_2,
        ),
        Service(
            key=AddressKey(Protocol.UDP, ip_address("10.0.0.1"), 81),
            scheduler="wrr",
            persistence=Persistence(timeout_s=360, netmask=everyone, engine="sip"),
        ),
    }


def test_recorded_destinations_are_read() -> None:
    """Every attribute of a destination, one of the other family among them, is what ipvsadm was given."""
    texts = RECORDED["destinations"]["tcp/10.9.0.1:80"]

    assert {decoded_destination(bytes.fromhex(text)) for text in texts} == {
        Destination(
            key=DestinationKey(ip_address("127.0.0.1"), 8080),
            forwarding=ForwardingMethod.MASQUERADE,
            weight=3,
            upper_threshold=10,
            lower_threshold=5,
        ),
        Destination(key=DestinationKey(ip_address("10.0.0.2"), 80), forwarding=ForwardingMethod.DIRECT, weight=0),
        Destination(
            key=DestinationKey(ip_address("10.0.0.4"), 80),
            forwarding=ForwardingMethod.TUNNEL,
            weight=0,
            tunnel=Tunnel(type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.CSUM),
        ),
        Destination(
            key=DestinationKey(ip_address("2001:db8::5"), 80),
            forwarding=ForwardingMethod.TUNNEL,
            weight=0,
            tunnel=Tunnel(),
        ),
    }


def test_recorded_counters_are_read() -> None:
    """Three requests over HTTP were made while the bytes were recorded."""
    rows = [
        decode_destination(bytes.fromhex(text), family=Family.INET)
        for text in RECORDED["destinations"]["tcp/10.9.0.1:80"]
    ]
    counted = [row[1] for row in rows if row and row[1].counters.connections]

    assert counted == [
        DestinationStatistics(
            counters=Counters(
                connections=3, incoming_packets=18, outgoing_packets=18, incoming_bytes=1296, outgoing_bytes=1986
            ),
            rates=Rates(incoming_packets=2, outgoing_packets=2, incoming_bytes=121, outgoing_bytes=186),
            inactive_connections=3,
            persistent_connections=1,
        )
    ]


def test_recorded_info_and_daemon_are_read() -> None:
    """Version, table size and the synchronisation daemon that ran."""
    assert decode_info(bytes.fromhex(RECORDED["info"])) == ("1.2.1", 256)
    assert [decode_daemon(bytes.fromhex(text)) for text in RECORDED["daemons"]] == [
        SyncDaemon(role="master", interface="ve0")
    ]


@pytest.mark.parametrize(
    "number", [Dest.ADDR_FAMILY, Dest.STATS64, Dest.TUN_TYPE, Dest.TUN_PORT, Dest.TUN_FLAGS, Dest.PERSIST_CONNS]
)
def test_destination_of_an_old_kernel_is_read(number: Dest) -> None:
    """What kernels back to 4.18 do not tell has the value that they act on."""
    assert decoded_destination(destination_row(without=number)) == DESTINATION


def test_service_without_64_bit_counters_counts_nothing() -> None:
    """The 32-bit counters are never taken for them: they wrap."""
    old_statistics = wire.number(1, 5, 4)
    row = decode_service(service_row(STATS=old_statistics))

    assert row == (SERVICE, Counters(), None)


def test_counters_and_rates_are_each_their_own() -> None:
    """Ten numbers of 64 bits, none taken for another, of a service as of a destination."""
    numbers = b"".join(wire.number(kind, 2**40 + kind, 8) for kind in Stat)
    counters = Counters(
        connections=2**40 + 1,
        incoming_packets=2**40 + 2,
        outgoing_packets=2**40 + 3,
        incoming_bytes=2**40 + 4,
        outgoing_bytes=2**40 + 5,
    )
    rates = Rates(
        connections=2**40 + 6,
        incoming_packets=2**40 + 7,
        outgoing_packets=2**40 + 8,
        incoming_bytes=2**40 + 9,
        outgoing_bytes=2**40 + 10,
    )

    assert decode_service(service_row(STATS64=numbers)) == (SERVICE, counters, rates)
    row = decode_destination(destination_row(STATS64=numbers), family=Family.INET)
    assert row == (DESTINATION, DestinationStatistics(counters=counters, rates=rates))


@given(st.permutations(list(Stat)), st.lists(st.integers(0, 10), max_size=3))
def test_counters_are_found_wherever_they_stand(order: list[Stat], padding: list[int]) -> None:
    """In any order, with padding anywhere between them, as a kernel writes it that wants them aligned."""
    parts = [wire.number(kind, 2**33 + kind, 8) for kind in order]
    for place in padding:
        parts.insert(place, wire.attribute(11, b""))
    usual = b"".join(wire.number(kind, 2**33 + kind, 8) for kind in Stat)

    assert decode_service(service_row(STATS64=b"".join(parts))) == decode_service(service_row(STATS64=usual))


def test_same_row_has_the_same_keys_in_each_reading() -> None:
    """One object each: who compares two readings need not look into thousands of keys."""
    first, second = (decoded_service(service_row()).key for _ in range(2))
    rows = [decode_destination(destination_row(), family=Family.INET) for _ in range(2)]

    assert first is second
    assert rows[0] is not None
    assert rows[1] is not None
    assert rows[0][0].key is rows[1][0].key


def test_unknown_values_do_not_hinder_reading() -> None:
    """A scheduler, flag bits and attributes of the future are read past."""
    flags = (0xFFFF_FFC2).to_bytes(4, "little") + b"\xff" * 4
    found = decoded_service(service_row(SCHED_NAME=b"quantum\0", FLAGS=flags) + wire.number(77, 1, 4))

    assert found == replace(SERVICE, scheduler="quantum")


@pytest.mark.parametrize(
    "payload",
    [service_row(AF=b"\x63\0"), service_row(PROTOCOL=b"\x63\0")],
)
def test_service_without_words_for_it_is_left_out(payload: bytes) -> None:
    """A family or protocol that the model does not have is not an error."""
    assert decode_service(payload) is None


@pytest.mark.parametrize(
    "payload",
    [
        destination_row(FWD_METHOD=b"\7\0\0\0"),
        destination_row(TUN_TYPE=b"\x09"),
        destination_row(ADDR_FAMILY=b"\x63\0"),
    ],
)
def test_destination_without_words_for_it_is_left_out(payload: bytes) -> None:
    """A method, tunnel or family that the model does not have is not an error."""
    assert decode_destination(payload, family=Family.INET) is None


def test_daemon_in_an_unknown_state_is_left_out() -> None:
    """Only masters and backups have a word."""
    payload = GENERIC_HEADER + wire.nested(Top.DAEMON, wire.number(1, 9, 4))

    assert decode_daemon(payload) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        GENERIC_HEADER,
        service_row(without=Svc.AF),
        service_row(without=Svc.FLAGS),
        service_row(ADDR=b"\1\2\3"),
        service_row(AF=b"\2"),
    ],
)
def test_unreadable_service_raises_unavailable(payload: bytes) -> None:
    """Missing and misshapen attributes have one error."""
    with pytest.raises(Unavailable):
        decode_service(payload)


@given(st.sampled_from([decode_service, decode_daemon, decode_info]), st.binary(max_size=200))
def test_garbage_raises_nothing_but_unavailable(decode: Any, payload: bytes) -> None:
    """Any bytes are either read or refused."""
    with suppress(Unavailable):
        decode(payload)


@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
def test_damaged_reply_raises_nothing_but_unavailable(place: int, value: int, length: int) -> None:
    """A recorded reply with a wrong byte and cut short is either read or refused."""
    for text in RECORDED["destinations"]["tcp/10.9.0.1:80"]:
        payload = bytearray.fromhex(text)
        payload[place % len(payload)] = value
        with suppress(Unavailable):
            decode_destination(bytes(payload[:length]), family=Family.INET)
