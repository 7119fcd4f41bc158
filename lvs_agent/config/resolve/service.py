"""The rules of one virtual service: its key, scheduler, flags, persistence and one-packet scheduling."""

from __future__ import annotations

from ipaddress import IPv4Address

from lvs_agent.config.findings import Location, Report
from lvs_agent.config.schema.tables import PersistenceTable, VirtualServiceTable
from lvs_agent.config.schema.values import EngineWord, FamilyWord
from lvs_agent.model.ipvs import (
    SCHEDULER_FLAG_NAMES,
    AddressKey,
    Family,
    FwmarkKey,
    Persistence,
    Protocol,
    SchedulerFlag,
    Service,
    ServiceKey,
)

_KEEPS_BUCKETS = frozenset({"sh", "mh", "dh"})
_HAS_FALLBACK_FLAG = frozenset({"sh", "mh"})


def resolve_service(table: VirtualServiceTable, *, at: Location, report: Report) -> Service | None:
    """The row that the kernel shall have for ``table``; None, after reporting why, where it cannot have a key."""
    key = _key(table, at=at, report=report)
    if key is None:
        return None
    if table.one_packet and not _may_be_udp(key):
        report.error((*at, "one_packet"), "is for udp and firewall mark services only; the kernel ignores it elsewhere")
    return Service(
        key=key,
        scheduler=table.scheduler,
        scheduler_flags=_flags(table, at=at, report=report),
        persistence=_persistence(table.persistence, key=key, at=(*at, "persistence"), report=report),
        one_packet=table.one_packet,
    )


def weight_zero_harm(service: Service) -> str | None:
    """Why a real server of ``service`` must not have weight 0, or None if it may.

    sh and mh (without their fallback flag) and dh go on choosing a server at weight 0 for its clients, and then refuse
    them (net/netfilter/ipvs/ip_vs_sh.c, ip_vs_mh.c, ip_vs_dh.c).
    """
    name = service.scheduler
    if name not in _KEEPS_BUCKETS or (name in _HAS_FALLBACK_FLAG and SchedulerFlag.FLAG_1 in service.scheduler_flags):
        return None
    reason = f"the scheduler {name} keeps choosing a server with weight 0 for its clients, which are then refused"
    return reason + (f" (unless scheduler_flags has '{name}-fallback')" if name in _HAS_FALLBACK_FLAG else "")


def _key(table: VirtualServiceTable, *, at: Location, report: Report) -> ServiceKey | None:
    if table.fwmark is not None:
        for word in ("protocol", "address", "port"):
            if word in table.model_fields_set:
                report.error((*at, word), "must not be set together with fwmark: the mark alone selects the packets")
        return FwmarkKey(table.fwmark, Family.INET6 if table.family is FamilyWord.INET6 else Family.INET)
    if "family" in table.model_fields_set:
        report.error((*at, "family"), "is for firewall mark services only; otherwise the address determines it")
    if table.address is None:
        report.error((*at, "address"), "is required, with a port (or fwmark instead of both)")
    if table.port is None:
        report.error((*at, "port"), "is required, with an address (or fwmark instead of both)")
    if table.address is None or table.port is None:
        return None
    if table.port == 0 and table.persistence is None:
        report.error((*at, "port"), "must not be 0 (every port) without persistence: the kernel would drop the packets")
    return AddressKey(table.protocol, table.address, table.port)


def _flags(table: VirtualServiceTable, *, at: Location, report: Report) -> SchedulerFlag:
    flags = SchedulerFlag.NONE
    for index, word in enumerate(table.scheduler_flags):
        owner = word.partition("-")[0]
        if owner not in ("flag", table.scheduler):
            text = f"'{word}' is a flag of the scheduler {owner}, not {table.scheduler}"
            report.error((*at, "scheduler_flags", index), text)
        flags |= SCHEDULER_FLAG_NAMES[word]
    return flags


def _persistence(
    table: PersistenceTable | None, *, key: ServiceKey, at: Location, report: Report
) -> Persistence | None:
    if table is None:
        return None
    if table.timeout != int(table.timeout):
        report.error((*at, "timeout"), "must be whole seconds: the kernel stores no fractions")
    if table.engine is EngineWord.SIP and isinstance(key, AddressKey) and key.protocol is not Protocol.UDP:
        report.error((*at, "engine"), "'sip' works with udp only: the kernel drops other packets")
    return Persistence(
        timeout_s=int(table.timeout),
        netmask=_netmask(table, family=key.family, at=at, report=report),
        engine=None if table.engine is None else table.engine.value,
    )


def _netmask(table: PersistenceTable, *, family: Family, at: Location, report: Report) -> IPv4Address | int:
    length = table.prefix_length
    if table.netmask is not None and length is not None:
        report.error((*at, "prefix_length"), "must not be set together with netmask: both mean the same")
    if family is Family.INET6:
        if table.netmask is not None:
            report.error((*at, "netmask"), "is for IPv4 only; use prefix_length")
        return 128 if length is None else length
    if length is not None and length > 32:
        report.error((*at, "prefix_length"), "must be at most 32 for IPv4")
    if table.netmask is not None:
        return table.netmask
    return IPv4Address(0xFFFFFFFF << (32 - min(32 if length is None else length, 32)) & 0xFFFFFFFF)


def _may_be_udp(key: ServiceKey) -> bool:
    return isinstance(key, FwmarkKey) or key.protocol is Protocol.UDP
