"""A table in the form of ``ipvsadm -S -n``, to compare it, save it, or restore it with ``ipvsadm -R``.

As in ipvsadm 1.31, the rules have no connection thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from lvs_agent.model.ipvs import (
    SCHEDULER_FLAG_NAMES,
    AddressKey,
    Destination,
    Family,
    ForwardingMethod,
    FwmarkKey,
    Protocol,
    SchedulerFlag,
    Service,
    ServiceKey,
    Table,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    address_and_port,
)

_PROTOCOL_OPTIONS = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service"}
_FORWARDING_OPTIONS = {
    ForwardingMethod.MASQUERADE: "-m",
    ForwardingMethod.TUNNEL: "-i",
    ForwardingMethod.DIRECT: "-g",
}
_WHOLE_ADDRESS = {Family.INET: IPv4Address("255.255.255.255"), Family.INET6: 128}


def rules(table: Table) -> tuple[str, ...]:
    """One ``-A`` line for each service, followed by one ``-a`` line for each of its destinations."""
    return tuple(
        " ".join(words)
        for entry in table.entries.values()
        for words in (
            ("-A", *_service_words(entry.service)),
            *(("-a", *_destination_words(entry.service.key, row)) for row in entry.destinations.values()),
        )
    )


def _key_words(key: ServiceKey) -> Iterator[str]:
    match key:
        case AddressKey(protocol, address, port):
            yield from (_PROTOCOL_OPTIONS[protocol], address_and_port(address, port))
        case FwmarkKey(mark, family):
            yield from ("-f", str(mark))
            if family is Family.INET6:
                yield "-6"


def _service_words(service: Service) -> Iterator[str]:
    yield from _key_words(service.key)
    yield from ("-s", service.scheduler)
    if (kept := service.persistence) is not None:
        yield from ("-p", str(kept.timeout_s))
        if kept.netmask != _WHOLE_ADDRESS[service.key.family]:
            yield from ("-M", str(kept.netmask))
        if kept.engine is not None:
            yield from ("--pe", kept.engine)
    if service.one_packet:
        yield "-o"
    if flags := _flag_names(service.scheduler, service.scheduler_flags):
        yield from ("-b", flags)


def _flag_names(scheduler: str, flags: SchedulerFlag) -> str:
    """The flags by the names of ``scheduler``, or by number if it does not name them."""
    own = {flag: name for name, flag in SCHEDULER_FLAG_NAMES.items() if name.startswith(f"{scheduler}-")}
    plain = {flag: name for name, flag in SCHEDULER_FLAG_NAMES.items() if name.startswith("flag-")}
    return ",".join((plain | own)[flag] for flag in plain if flag in flags)


def _destination_words(service: ServiceKey, row: Destination) -> Iterator[str]:
    yield from _key_words(service)
    yield from ("-r", str(row.key), _FORWARDING_OPTIONS.get(row.forwarding, f"--{row.forwarding.value}"))
    yield from ("-w", str(row.weight))
    if row.tunnel is not None:
        yield from _tunnel_words(row.tunnel)


def _tunnel_words(tunnel: Tunnel) -> Iterator[str]:
    yield from ("--tun-type", tunnel.type.value)
    if tunnel.type is TunnelType.GUE:
        yield from ("--tun-port", str(tunnel.port))
    if tunnel.type is not TunnelType.IPIP:
        yield "--tun-nocsum" if tunnel.checksum is TunnelChecksum.NONE else f"--tun-{tunnel.checksum.value}"
